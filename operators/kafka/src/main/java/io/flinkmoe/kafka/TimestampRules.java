// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import java.io.Serializable;
import java.time.Clock;
import java.time.Duration;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Which timestamps of tokens are accepted.
 *
 * @param areChecked whether they are compared with anything at all
 * @param maxAhead how far a token may be after its record, and after the clock
 * @param maxBehind how far a token may be before its record
 * @param clock what a token is compared with, if producers set the timestamps of records
 */
@PublicEvolving
public record TimestampRules(boolean areChecked, Duration maxAhead, Duration maxBehind, Clock clock)
        implements Serializable {

    /** The defaults of a {@link TokenDeserializer}. */
    public static final TimestampRules DEFAULT =
            new TimestampRules(
                    true,
                    TokenDeserializer.DEFAULT_MAX_AHEAD,
                    TokenDeserializer.DEFAULT_MAX_BEHIND,
                    Clock.systemUTC());

    /** Every timestamp that event time can have: for layers without a capacity. */
    public static final TimestampRules NONE =
            new TimestampRules(
                    false, DEFAULT.maxAhead, DEFAULT.maxBehind, TimestampCheck.END_OF_TIME);

    /** The same rules without a clock; see {@link TokenDeserializer.Builder#ignoreClock()}. */
    public TimestampRules withoutClock() {
        return new TimestampRules(areChecked, maxAhead, maxBehind, TimestampCheck.END_OF_TIME);
    }
}
