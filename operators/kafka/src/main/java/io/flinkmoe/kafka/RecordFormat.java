// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;

/** How the tokens, answers, decisions and dead letters in a topic are encoded. */
@PublicEvolving
public enum RecordFormat {
    /** Avro's single-object encoding: a header of 10 bytes identifies the writer's schema. */
    TOKEN,

    /** Avro without a header: reader and writer must use the same schema. */
    TOKEN_RAW;

    /** The value of an option. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
