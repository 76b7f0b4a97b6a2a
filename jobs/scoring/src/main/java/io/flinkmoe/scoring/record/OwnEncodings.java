// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.kafka.pinned.PinnedSchemas.Pinned;
import io.flinkmoe.kafka.record.RecordEncoding;
import java.io.IOException;
import java.util.Optional;
import org.apache.avro.Schema;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ReadableConfig;

/**
 * How the values and the keys of users' own records are encoded.
 *
 * @param named where the schemas are that options name
 * @param registry the registry, if one is used
 * @param schemas the resolved schemas of values and keys
 */
@Internal
record OwnEncodings(
        RecordEncoding values,
        RecordEncoding keys,
        JobSchemas named,
        Optional<RegistryAccess> registry,
        PinnedSchemas schemas) {

    private static final String OF_KEYS = "-key";

    /**
     * Resolves the schemas.
     *
     * @throws IOException if one cannot be had
     */
    static OwnEncodings of(RecordContext job) throws IOException {
        ReadableConfig options = job.options();
        Optional<RegistryAccess> registry = RegistryAccess.connect(options);
        JobSchemas named = new JobSchemas(job, registry);
        PinnedSchemas schemas = PinnedSchemas.NONE;
        if (options.get(RecordOptions.FORMAT).isAvro()) {
            String subject =
                    options.getOptional(RegistryOptions.SUBJECT)
                            .orElse(job.sourceTopic() + "-value");
            schemas =
                    schemas.with(
                            PinnedSchemas.VALUE,
                            named.get(RecordOptions.SCHEMA, PinnedSchemas.VALUE, subject));
        }
        if (options.get(RecordOptions.KEY_FORMAT).isAvro()) {
            String subject = job.sourceTopic() + OF_KEYS;
            schemas =
                    schemas.with(
                            PinnedSchemas.KEY,
                            named.get(RecordOptions.KEY_SCHEMA, PinnedSchemas.KEY, subject));
        }
        return new OwnEncodings(
                values(options, registry, schemas),
                keys(options, registry, schemas),
                named,
                registry,
                schemas);
    }

    private static RecordEncoding values(
            ReadableConfig options, Optional<RegistryAccess> registry, PinnedSchemas schemas) {
        return switch (options.get(RecordOptions.FORMAT)) {
            case JSON -> RecordEncoding.json();
            case AVRO -> RecordEncoding.avro(schema(schemas, PinnedSchemas.VALUE));
            case AVRO_REGISTRY ->
                    RecordEncoding.registry(
                            registry.orElseThrow().settings(),
                            schema(schemas, PinnedSchemas.VALUE));
            case TOKEN, TOKEN_RAW -> throw new IllegalStateException("tokens have no fields");
        };
    }

    private static RecordEncoding keys(
            ReadableConfig options, Optional<RegistryAccess> registry, PinnedSchemas schemas) {
        return switch (options.get(RecordOptions.KEY_FORMAT)) {
            case TEXT -> RecordEncoding.text();
            case JSON -> RecordEncoding.json();
            case AVRO -> RecordEncoding.avro(schema(schemas, PinnedSchemas.KEY));
            case AVRO_REGISTRY ->
                    RecordEncoding.registry(
                            registry.orElseThrow().settings(), schema(schemas, PinnedSchemas.KEY));
        };
    }

    private static Schema schema(PinnedSchemas schemas, String name) {
        return parse(schemas.get(name).orElseThrow());
    }

    static Schema parse(Pinned schema) {
        return new Schema.Parser().setValidateDefaults(false).parse(schema.schema());
    }
}
