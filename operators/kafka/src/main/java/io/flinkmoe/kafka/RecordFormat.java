package io.flinkmoe.kafka;

import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;

/** How the records of a topic are encoded. */
@PublicEvolving
public enum RecordFormat {
    /**
     * Avro's single-object encoding: a header of ten bytes names the schema that the record was
     * written with.
     */
    AVRO,

    /** Bare Avro without a header: reader and writer must agree on the schema. */
    RAW;

    /** The name in lower case, as an option has it. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
