// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;

/** How the records of a topic are encoded. */
@PublicEvolving
public enum RecordFormat {
    /** Avro's single-object encoding: a header of 10 bytes identifies the writer's schema. */
    AVRO,

    /** Avro without a header: reader and writer must use the same schema. */
    RAW;

    /** The name in lower case, as in option values. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
