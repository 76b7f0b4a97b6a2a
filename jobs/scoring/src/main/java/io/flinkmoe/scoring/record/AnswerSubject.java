// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import io.flinkmoe.kafka.pinned.PinnedSchemas.Pinned;
import io.flinkmoe.kafka.registry.RegistryException;
import java.io.IOException;
import org.apache.avro.Schema;
import org.apache.flink.annotation.Internal;

/** Where the schema of the answers is in the registry. */
@Internal
record AnswerSubject(RecordContext job, RegistryAccess registry) {

    /**
     * The name of the subject.
     *
     * @param schema the schema of the answers; only its name matters
     */
    static String name(RecordContext job, Schema schema) {
        return job.options()
                .get(RegistryOptions.SUBJECT_STRATEGY)
                .ofValues(job.sinkTopic(), schema);
    }

    /**
     * Returns the id of the schema of the answers.
     *
     * @param registers whether it is registered if it is not there, as far as the options allow it
     * @return {@link Pinned#NO_ID} if it is not there and a start would register it
     */
    int id(Schema schema, boolean registers) throws IOException {
        String subject = name(job, schema);
        boolean mayRegister = job.options().get(RegistryOptions.AUTO_REGISTER);
        if (registers && mayRegister) {
            return registry.schemas().register(subject, schema);
        }
        try {
            return registry.schemas().find(subject, schema);
        } catch (RegistryException e) {
            if (e.kind() != RegistryException.Kind.UNKNOWN) {
                throw e;
            } else if (mayRegister) {
                return Pinned.NO_ID;
            }
            throw new IOException(
                    "%s is false, and the registry does not have the schema of the answers under the subject %s; register it there: %s"
                            .formatted(RegistryOptions.AUTO_REGISTER.key(), subject, schema),
                    e);
        }
    }
}
