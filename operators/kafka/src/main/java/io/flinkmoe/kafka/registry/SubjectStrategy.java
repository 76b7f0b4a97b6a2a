// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import java.util.Locale;
import org.apache.avro.Schema;
import org.apache.flink.annotation.PublicEvolving;

/** The subject under which the schema of a topic's values is registered. */
@PublicEvolving
public enum SubjectStrategy {

    /** {@code <topic>-value}: one schema for a topic. */
    TOPIC_NAME {
        @Override
        public String ofValues(String topic, Schema schema) {
            return topic + "-value";
        }
    },

    /** The full name of the record, in whichever topic it is. */
    RECORD_NAME {
        @Override
        public String ofValues(String topic, Schema schema) {
            return schema.getFullName();
        }
    },

    /** {@code <topic>-<full name of the record>}. */
    TOPIC_RECORD_NAME {
        @Override
        public String ofValues(String topic, Schema schema) {
            return topic + "-" + schema.getFullName();
        }
    };

    /**
     * Returns the subject.
     *
     * @param schema the schema of the values; only its name matters
     */
    public abstract String ofValues(String topic, Schema schema);

    /** Whether the subject is known without a schema. */
    public boolean needsSchema() {
        return this != TOPIC_NAME;
    }

    /** The value of an option. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
