// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;

/** What a source does if the topic no longer has the offset at which it has to go on. */
@PublicEvolving
public enum MissingOffsets {
    /** Fails the job, without restarts. */
    FAIL,
    /** Goes on at the earliest offset, and logs a warning. */
    EARLIEST,
    /** Goes on at the end, and logs a warning. */
    LATEST;

    /** The value of the option. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
