// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * A schema as the registry has it.
 *
 * @param type AVRO, JSON or PROTOBUF
 * @param text its text
 * @param references the schemas whose types it uses
 */
@Internal
record RegisteredSchema(String type, String text, List<Reference> references) {

    static final String AVRO = "AVRO";

    /**
     * A version of a subject.
     *
     * @param version from 1 on
     */
    record Reference(String subject, int version) {

        @Override
        public String toString() {
            return "version %d of subject %s".formatted(version, subject);
        }
    }
}
