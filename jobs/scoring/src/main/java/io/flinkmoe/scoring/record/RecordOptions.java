// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import static org.apache.flink.configuration.ConfigOptions.key;

import io.flinkmoe.kafka.RecordFormat;
import io.flinkmoe.kafka.record.TimeUnit;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;

/**
 * The options of the scoring job about the format of records. Those that begin with {@code
 * moe.record} say which fields of a user's own record the model reads and the answer has.
 */
@PublicEvolving
public final class RecordOptions {

    /** What a stream begins with that is a field of the message key. */
    static final String KEY_FIELD = "key.";

    /** What a stream begins with that is a header. */
    static final String HEADER = "header.";

    private RecordOptions() {}

    public static final ConfigOption<Format> FORMAT =
            key("moe.format")
                    .enumType(Format.class)
                    .defaultValue(Format.TOKEN)
                    .withDescription(
                            "The encoding of input records and answers. Tokens: 'token' is Avro's"
                                    + " single-object encoding of flink-moe's own schemas, whose"
                                    + " header identifies the writer's schema; 'token-raw' is Avro"
                                    + " without a header. Your own records: 'json'; 'avro' is Avro"
                                    + " without a header; 'avro-registry' is Avro with the id of a"
                                    + " schema in a registry (Confluent's wire format).");

    public static final ConfigOption<List<String>> SCHEMAS =
            key("moe.schema")
                    .stringType()
                    .asList()
                    .defaultValues()
                    .withDescription(
                            "Schema files (.avsc) of the tokens in the source topic, in"
                                    + " addition to the built-in schema. Each is a record with the fields"
                                    + " stream, position, timestamp and values, in any order; other fields"
                                    + " are ignored. With moe.format: token-raw, give at most one file; it"
                                    + " replaces the built-in schema.");

    public static final ConfigOption<String> STREAM =
            key("moe.record.stream")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "Where the stream of a record of your own is, such as the card of a"
                                    + " payment: the path of a field (names separated by dots), 'key'"
                                    + " for the text of the message key, 'key.FIELD' for a field of it,"
                                    + " or 'header.NAME'. Records of a stream must be in one partition.");

    public static final ConfigOption<String> TIMESTAMP_FIELD =
            key("moe.record.timestamp.field")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The field with the event time of a record. Default: the timestamp of"
                                    + " the Kafka record.");

    public static final ConfigOption<TimeUnit> TIMESTAMP_UNIT =
            key("moe.record.timestamp.unit")
                    .enumType(TimeUnit.class)
                    .noDefaultValue()
                    .withDescription(
                            "The unit of the event time since 1970. Default: that of the field's"
                                    + " logical type in Avro, or else milliseconds.");

    public static final ConfigOption<String> POSITION =
            key("moe.record.position")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The field with the position of a record in its stream, a whole"
                                    + " number. Default: the offset of the Kafka record.");

    public static final ConfigOption<Map<String, String>> FEATURES =
            key("moe.record.features")
                    .mapType()
                    .defaultValue(Map.of())
                    .withDescription(
                            "The fields that inputs of the model are read from. 'INPUT: FIELD';"
                                    + " 'INPUT: A;B' for a vector of several fields; 'INPUT.field:"
                                    + " FIELD' with 'INPUT.missing: VALUE' to say what stands for a"
                                    + " missing value. Default: each input is the field of its name.");

    public static final ConfigOption<List<String>> KEEP =
            key("moe.record.keep")
                    .stringType()
                    .asList()
                    .defaultValues()
                    .withDescription(
                            "The fields that the answer has, too, each under the last name of its"
                                    + " path; or 'all'.");

    public static final ConfigOption<List<String>> KEEP_HEADERS =
            key("moe.record.keep-headers")
                    .stringType()
                    .asList()
                    .defaultValues()
                    .withDescription("The headers of a record that its answer has, too.");

    public static final ConfigOption<Boolean> CHOICES =
            key("moe.record.choices")
                    .booleanType()
                    .defaultValue(false)
                    .withDescription(
                            "Whether an answer says which experts were chosen: a field 'choices',"
                                    + " an array with layer, gate, expert, weight and outcome of each.");

    public static final ConfigOption<String> SCHEMA =
            key("moe.record.schema")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "With moe.format: avro, the file (.avsc) with the schema of the"
                                    + " records. With avro-registry, the schema that they are decoded"
                                    + " with, whichever schema they were written with: 'latest'"
                                    + " (default), a version, or a file. A job that starts from a"
                                    + " savepoint goes on with the schema that it had, unless this"
                                    + " is a version or a file.");

    public static final ConfigOption<String> ANSWER_SCHEMA =
            key("moe.record.answer-schema")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The schema of answers in Avro: 'generated' (default), from the kept"
                                    + " fields and the outputs of the model; a file; or, with"
                                    + " avro-registry, 'latest' or a version. A given one must be able"
                                    + " to read the generated one.");

    public static final ConfigOption<KeyFormat> KEY_FORMAT =
            key("moe.key.format")
                    .enumType(KeyFormat.class)
                    .defaultValue(KeyFormat.TEXT)
                    .withDescription(
                            "The encoding of message keys. Only needed with moe.record.stream:"
                                    + " key.FIELD.");

    public static final ConfigOption<String> KEY_SCHEMA =
            key("moe.key.schema")
                    .stringType()
                    .noDefaultValue()
                    .withDescription(
                            "The schema of message keys in Avro. The values are those of"
                                    + " moe.record.schema.");

    /** How records are encoded. */
    public enum Format {
        TOKEN,
        TOKEN_RAW,
        AVRO,
        AVRO_REGISTRY,
        JSON;

        /** Whether records are tokens in flink-moe's own schemas. */
        @Internal
        public boolean isToken() {
            return this == TOKEN || this == TOKEN_RAW;
        }

        /** Whether records have a schema in Avro that is not flink-moe's. */
        boolean isAvro() {
            return this == AVRO || this == AVRO_REGISTRY;
        }

        @Override
        public String toString() {
            return optionValue(this);
        }
    }

    /** How message keys are encoded. */
    public enum KeyFormat {
        TEXT,
        JSON,
        AVRO,
        AVRO_REGISTRY;

        /** Whether keys have a schema. */
        boolean isAvro() {
            return this == AVRO || this == AVRO_REGISTRY;
        }

        @Override
        public String toString() {
            return optionValue(this);
        }
    }

    /** The encoding of what the job writes in flink-moe's own schemas, such as decisions. */
    @Internal
    public static RecordFormat ofTokens(ReadableConfig options) {
        return options.get(FORMAT) == Format.TOKEN_RAW
                ? RecordFormat.TOKEN_RAW
                : RecordFormat.TOKEN;
    }

    /** Whether the stream is a field of the message key. */
    static boolean readsKeys(ReadableConfig options) {
        return !options.get(FORMAT).isToken()
                && options.getOptional(STREAM).orElse("").strip().startsWith(KEY_FIELD);
    }

    /** Whether the job needs a registry. */
    static boolean usesRegistry(ReadableConfig options) {
        return options.get(FORMAT) == Format.AVRO_REGISTRY
                || readsKeys(options) && options.get(KEY_FORMAT) == KeyFormat.AVRO_REGISTRY;
    }

    /** Flink parses enum options by {@code toString}, so users write {@code avro-registry}. */
    private static String optionValue(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
