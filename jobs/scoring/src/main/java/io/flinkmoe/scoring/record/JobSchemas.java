// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.kafka.pinned.PinnedSchemas.Pinned;
import io.flinkmoe.kafka.registry.SchemaChoice;
import java.io.IOException;
import java.util.Optional;
import org.apache.avro.Schema;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.IllegalConfigurationException;

/**
 * The schemas that the options of a job name. They are resolved once, when the job is submitted.
 * Where an option says {@code latest}, a job that starts from a savepoint goes on with the schema
 * that it had, so that it decodes as before.
 */
@Internal
final class JobSchemas {

    private final RecordContext job;
    private final Optional<RegistryAccess> registry;
    private PinnedSchemas ofSavepoint; // null until it is read

    /**
     * @param registry empty if no option names a schema in it
     */
    JobSchemas(RecordContext job, Optional<RegistryAccess> registry) {
        this.job = job;
        this.registry = registry;
    }

    /**
     * Returns the schema that an option names.
     *
     * @param name the name of the schema in {@link PinnedSchemas}
     * @param subject its subject in the registry
     * @throws IllegalConfigurationException if it is in a file that cannot be used
     * @throws IOException if it cannot be had; the message says why
     */
    Pinned get(ConfigOption<String> option, String name, String subject) throws IOException {
        SchemaChoice choice = choice(option);
        if (choice.isLatest() && job.savepoint().isPresent()) {
            Optional<Pinned> pinned = ofSavepoint(option, job.savepoint().get()).get(name);
            if (pinned.isPresent()) {
                String origin = pinned.get().origin();
                String suffix = ", as in the savepoint";
                return new Pinned(
                        pinned.get().schema(),
                        origin.endsWith(suffix) ? origin : origin + suffix,
                        pinned.get().id());
            }
        }
        SchemaChoice.Resolved resolved =
                choice.needsRegistry() ? registered(option, choice, subject) : file(option, choice);
        if (resolved.schema().getType() != Schema.Type.RECORD) {
            throw new IllegalConfigurationException(
                    "%s: %s has a schema of the type %s; allowed: a record"
                            .formatted(
                                    option.key(),
                                    resolved.origin(),
                                    resolved.schema().getFullName()));
        }
        return new Pinned(resolved.schema().toString(), resolved.origin(), Pinned.NO_ID);
    }

    private SchemaChoice.Resolved registered(
            ConfigOption<String> option, SchemaChoice choice, String subject) throws IOException {
        try {
            return choice.resolve(registry.orElseThrow().schemas(), subject);
        } catch (IOException e) {
            throw new IOException(
                    "%s is %s: %s".formatted(option.key(), choice, e.getMessage()), e);
        }
    }

    /** A file is named by an option, so one that cannot be used is an error in the options. */
    private static SchemaChoice.Resolved file(ConfigOption<String> option, SchemaChoice choice) {
        try {
            return SchemaChoice.file(choice.toString());
        } catch (IOException e) {
            throw new IllegalConfigurationException(
                    "%s: %s".formatted(option.key(), e.getMessage()), e);
        }
    }

    private SchemaChoice choice(ConfigOption<String> option) {
        try {
            return job.options()
                    .getOptional(option)
                    .map(SchemaChoice::of)
                    .orElse(SchemaChoice.LATEST);
        } catch (IllegalArgumentException e) {
            throw new IllegalConfigurationException(
                    "%s: %s".formatted(option.key(), e.getMessage()), e);
        }
    }

    private PinnedSchemas ofSavepoint(
            ConfigOption<String> option, RecordContext.Savepoint savepoint) throws IOException {
        try {
            if (ofSavepoint == null) {
                ofSavepoint = savepoint.schemas();
            }
            return ofSavepoint;
        } catch (IOException e) {
            throw new IOException(
                    "%s; set %s to a version or a file".formatted(e.getMessage(), option.key()), e);
        }
    }
}
