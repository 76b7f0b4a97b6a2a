// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;

/** Where a source starts to read a partition if no state says so. */
@PublicEvolving
public enum StartPosition {
    /** At the earliest offset. */
    EARLIEST,
    /** At the end. */
    LATEST,
    /** At the committed offset of the consumer group, or at the earliest if there is none. */
    COMMITTED;

    /** The value of the option. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
