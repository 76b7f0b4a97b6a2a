// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import java.util.Locale;
import org.apache.avro.LogicalType;
import org.apache.avro.LogicalTypes;
import org.apache.flink.annotation.PublicEvolving;

/** The unit of a number that is a time since the epoch. */
@PublicEvolving
public enum TimeUnit {
    SECONDS,
    MILLIS,
    MICROS,
    NANOS,
    DAYS;

    /**
     * Returns milliseconds, rounded down.
     *
     * @throws ArithmeticException if they exceed a long
     */
    long toMillis(long time) {
        return switch (this) {
            case SECONDS -> Math.multiplyExact(time, 1_000L);
            case MILLIS -> time;
            case MICROS -> Math.floorDiv(time, 1_000L);
            case NANOS -> Math.floorDiv(time, 1_000_000L);
            case DAYS -> Math.multiplyExact(time, 86_400_000L);
        };
    }

    /** The unit of a logical type of Avro; null if it is not one of a time since the epoch. */
    static TimeUnit of(LogicalType type) {
        if (type instanceof LogicalTypes.TimestampMillis
                || type instanceof LogicalTypes.LocalTimestampMillis) {
            return MILLIS;
        } else if (type instanceof LogicalTypes.TimestampMicros
                || type instanceof LogicalTypes.LocalTimestampMicros) {
            return MICROS;
        } else if (type instanceof LogicalTypes.TimestampNanos
                || type instanceof LogicalTypes.LocalTimestampNanos) {
            return NANOS;
        }
        return type instanceof LogicalTypes.Date ? DAYS : null;
    }

    /** The value of an option. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
