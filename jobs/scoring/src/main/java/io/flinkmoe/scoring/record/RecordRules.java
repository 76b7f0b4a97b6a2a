// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import io.flinkmoe.scoring.record.RecordOptions.Format;
import io.flinkmoe.scoring.record.RecordOptions.KeyFormat;
import java.util.List;
import java.util.function.Predicate;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;

/**
 * Checks that the {@link RecordOptions} and the {@link RegistryOptions} are complete, and that none
 * is set that the format does not use.
 */
@Internal
public final class RecordRules {

    /** The values of a schema's option that are no file. */
    static final Predicate<String> IN_REGISTRY =
            value -> value.equals("latest") || value.matches("\\d+");

    private final ReadableConfig options;
    private final Format format;
    private final KeyFormat keyFormat;
    private final Refusals refusals;

    private RecordRules(ReadableConfig options, Refusals refusals) {
        this.options = options;
        this.refusals = refusals;
        format = options.get(RecordOptions.FORMAT);
        keyFormat = options.get(RecordOptions.KEY_FORMAT);
    }

    /** What is missing and what contradicts, one error each. */
    public static List<String> errors(ReadableConfig options) {
        Refusals refusals = new Refusals(options);
        RecordRules rules = new RecordRules(options, refusals);
        if (rules.format.isToken()) {
            rules.checkTokens();
        } else {
            rules.checkRecords();
            PathRules.check(options, refusals);
            if (rules.hasStream()) { // It says whether keys are read.
                rules.checkKey();
            }
        }
        boolean isKeyRefused =
                rules.keyFormat == KeyFormat.AVRO_REGISTRY && !RecordOptions.readsKeys(options);
        if (rules.format == Format.AVRO_REGISTRY || !isKeyRefused) {
            RegistryRules.check(options, refusals);
        }
        return refusals.errors();
    }

    private void checkTokens() {
        if (format == Format.TOKEN_RAW && options.get(RecordOptions.SCHEMAS).size() > 1) {
            refusals.add(
                    "%s has %d files; with %s: %s only one file is allowed, because such records do not identify their schema",
                    RecordOptions.SCHEMAS.key(),
                    options.get(RecordOptions.SCHEMAS).size(),
                    RecordOptions.FORMAT.key(),
                    format);
        }
        for (ConfigOption<?> option :
                List.of(
                        RecordOptions.STREAM,
                        RecordOptions.TIMESTAMP_FIELD,
                        RecordOptions.TIMESTAMP_UNIT,
                        RecordOptions.POSITION,
                        RecordOptions.FEATURES,
                        RecordOptions.KEEP,
                        RecordOptions.KEEP_HEADERS,
                        RecordOptions.CHOICES,
                        RecordOptions.SCHEMA,
                        RecordOptions.ANSWER_SCHEMA,
                        RecordOptions.KEY_FORMAT,
                        RecordOptions.KEY_SCHEMA)) {
            refusals.refuse(
                    option, RecordOptions.FORMAT, format, "tokens have the fields of their schema");
        }
    }

    private void checkRecords() {
        refusals.refuse(
                RecordOptions.SCHEMAS,
                RecordOptions.FORMAT,
                format,
                "it is for tokens; the schema of other records is " + RecordOptions.SCHEMA.key());
        if (!hasStream()) {
            String stream = refusals.text(RecordOptions.STREAM);
            refusals.add(
                    "%s is %s; allowed with %s: %s: FIELD, key, key.FIELD, header.NAME",
                    RecordOptions.STREAM.key(),
                    stream.isEmpty() ? "missing" : "'" + stream + "'",
                    RecordOptions.FORMAT.key(),
                    format);
        }
        if (!refusals.has(RecordOptions.TIMESTAMP_FIELD)) {
            refusals.refuse(
                    RecordOptions.TIMESTAMP_UNIT,
                    "without " + RecordOptions.TIMESTAMP_FIELD.key(),
                    "the timestamps of Kafka records are milliseconds");
        }
        List<String> kept = options.get(RecordOptions.KEEP);
        if (kept.contains(RecordBindings.ALL) && kept.size() > 1) {
            refusals.add(
                    "%s is %s; allowed: fields, or only %s",
                    RecordOptions.KEEP.key(), kept, RecordBindings.ALL);
        }
        if (!format.isAvro()) {
            String reason = "only Avro has schemas";
            refusals.refuse(RecordOptions.SCHEMA, RecordOptions.FORMAT, format, reason);
            refusals.refuse(RecordOptions.ANSWER_SCHEMA, RecordOptions.FORMAT, format, reason);
        } else if (format == Format.AVRO) {
            requireFile(RecordOptions.SCHEMA, RecordOptions.FORMAT, format);
            options.getOptional(RecordOptions.ANSWER_SCHEMA)
                    .filter(IN_REGISTRY)
                    .ifPresent(
                            value ->
                                    refusals.add(
                                            "%s",
                                            inRegistry(
                                                    RecordOptions.ANSWER_SCHEMA,
                                                    value,
                                                    RecordOptions.FORMAT,
                                                    format)));
        }
    }

    private boolean hasStream() {
        String stream = refusals.text(RecordOptions.STREAM);
        return !stream.isEmpty()
                && !stream.equals(RecordOptions.HEADER)
                && !stream.equals(RecordOptions.KEY_FIELD);
    }

    private void checkKey() {
        if (!RecordOptions.readsKeys(options)) {
            String without = "unless %s is key.FIELD".formatted(RecordOptions.STREAM.key());
            String reason = "nothing else reads keys";
            refusals.refuse(RecordOptions.KEY_FORMAT, without, reason);
            refusals.refuse(RecordOptions.KEY_SCHEMA, without, reason);
            return;
        }
        if (keyFormat == KeyFormat.TEXT) {
            refusals.add(
                    "%s is text; allowed with %s: %s: json, avro, avro-registry, because a text has no fields",
                    RecordOptions.KEY_FORMAT.key(),
                    RecordOptions.STREAM.key(),
                    refusals.text(RecordOptions.STREAM));
        } else if (keyFormat == KeyFormat.AVRO) {
            requireFile(RecordOptions.KEY_SCHEMA, RecordOptions.KEY_FORMAT, keyFormat);
        } else if (!keyFormat.isAvro()) {
            refusals.refuse(
                    RecordOptions.KEY_SCHEMA,
                    RecordOptions.KEY_FORMAT,
                    keyFormat,
                    "only Avro has schemas");
        }
    }

    private void requireFile(ConfigOption<String> option, ConfigOption<?> with, Object value) {
        String file = refusals.text(option);
        if (file.isBlank()) {
            refusals.add(
                    "%s is missing; with %s: %s it is the file (.avsc) with the schema",
                    option.key(), with.key(), value);
        } else if (IN_REGISTRY.test(file)) {
            refusals.add("%s", inRegistry(option, file, with, value));
        }
    }

    private static String inRegistry(
            ConfigOption<?> option, String value, ConfigOption<?> with, Object format) {
        return "%s is %s; allowed with %s: %s: %sa file (.avsc), because there is no registry"
                .formatted(
                        option.key(),
                        value,
                        with.key(),
                        format,
                        option == RecordOptions.ANSWER_SCHEMA ? "generated, " : "");
    }
}
