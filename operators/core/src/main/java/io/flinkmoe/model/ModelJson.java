// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationContext;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.annotation.JsonDeserialize;
import com.fasterxml.jackson.databind.deser.std.StdDeserializer;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.module.SimpleModule;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.ser.std.StdSerializer;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.RuleTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * Reads and writes a {@link BundleSpec} as model.json. Field names are in snake case. Unknown
 * fields and values of another type are errors.
 */
@Internal
public final class ModelJson {
    private static final String TABLE = "table";
    private static final String TABLE_FILE = "table_file";

    private static final JsonMapper MAPPER =
            JsonMapper.builder()
                    .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                    .addMixIn(RoutingConfig.class, RoutingNames.class)
                    .addMixIn(Slice.class, AsList.class)
                    .addMixIn(LayerSpec.class, WithoutEmptyOptions.class)
                    .defaultPropertyInclusion(
                            JsonInclude.Value.construct(
                                    JsonInclude.Include.NON_NULL, JsonInclude.Include.NON_NULL))
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
                    .enable(DeserializationFeature.FAIL_ON_NUMBERS_FOR_ENUMS)
                    .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                    .disable(MapperFeature.AUTO_DETECT_IS_GETTERS)
                    .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                    .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
                    .enable(SerializationFeature.INDENT_OUTPUT)
                    .addModule(
                            ModelFileJson.addTo(new SimpleModule().addSerializer(new LowerCase())))
                    .build();

    /** The Hugging Face names that are not the snake case of ours. */
    private interface RoutingNames {
        @JsonProperty("norm_topk_prob")
        boolean normTopKProb();

        @JsonProperty("e_score_correction_bias")
        List<Float> scoreCorrectionBias();
    }

    private interface WithoutEmptyOptions {
        @JsonInclude(value = JsonInclude.Include.CUSTOM, valueFilter = NoOptions.class)
        LayerOptions options();
    }

    /** Equals what is left out of model.json. */
    @SuppressWarnings("EqualsWhichDoesntCheckParameterClass")
    private static final class NoOptions {
        @Override
        public boolean equals(Object other) {
            return LayerOptions.NONE.equals(other);
        }

        @Override
        public int hashCode() {
            return 0;
        }
    }

    /** A slice is {@code [from, to]}. */
    @JsonFormat(shape = JsonFormat.Shape.ARRAY)
    @JsonPropertyOrder({"from", "to"})
    @JsonDeserialize(using = SliceReader.class)
    private interface AsList {}

    /** Jackson's own reader of records takes a list of three numbers, too. */
    private static final class SliceReader extends StdDeserializer<Slice> {
        private static final long serialVersionUID = 1L;

        SliceReader() {
            super(Slice.class);
        }

        @Override
        public Slice deserialize(JsonParser json, DeserializationContext context)
                throws IOException {
            JsonNode list = context.readTree(json);
            if (!list.isArray()
                    || list.size() != 2
                    || !list.get(0).isInt()
                    || !list.get(1).isInt()) {
                throw MismatchedInputException.from(json, Slice.class, "not two integers");
            }
            try {
                return new Slice(list.get(0).asInt(), list.get(1).asInt());
            } catch (IllegalArgumentException e) {
                throw ValueInstantiationException.from(
                        json, e.getMessage(), context.constructType(Slice.class), e);
            }
        }
    }

    /**
     * Writes enum constants in lower case. Jackson's own feature uses the default locale, and a
     * Turkish one would write {@code ınput}.
     */
    private static final class LowerCase extends StdSerializer<Enum<?>> {
        private static final long serialVersionUID = 1L;

        LowerCase() {
            super(Enum.class, false);
        }

        @Override
        public void serialize(Enum<?> constant, JsonGenerator json, SerializerProvider provider)
                throws IOException {
            json.writeString(constant.name().toLowerCase(Locale.ROOT));
        }
    }

    private ModelJson() {}

    static void write(BundleSpec spec, Path file) throws IOException {
        Files.write(file, MAPPER.writeValueAsBytes(spec));
    }

    /**
     * Reads a routing.
     *
     * @throws IllegalArgumentException if a field is unknown or wrong; the message names it
     */
    public static RoutingConfig routing(JsonNode json) {
        try {
            return MAPPER.treeToValue(json, RoutingConfig.class);
        } catch (JsonMappingException e) {
            throw new IllegalArgumentException(message(json, e), e);
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(e.getOriginalMessage(), e);
        }
    }

    static BundleSpec read(Path file) throws IOException {
        JsonNode json = JsonFile.readObject(MAPPER, file, BundleException::new);
        checkVersion(json.path("format_version"), file);
        for (int layer = 0; layer < json.path("layers").size(); layer++) {
            readTables(file, json, layer);
        }
        try {
            return MAPPER.treeToValue(json, BundleSpec.class);
        } catch (JsonMappingException e) {
            throw new BundleException(file, message(json, e), e);
        }
    }

    /** Replaces each {@code table_file} of a rule by the table in that file. */
    private static void readTables(Path file, JsonNode json, int layer) throws IOException {
        JsonNode layerJson = json.path("layers").path(layer);
        for (int gate = 0; gate < layerJson.path("gates").size(); gate++) {
            if (layerJson.path("gates").path(gate).path("rule") instanceof ObjectNode rule
                    && rule.path(TABLE_FILE).isTextual()) {
                String field = "layers[%d].gates[%d].rule".formatted(layer, gate);
                String name = rule.remove(TABLE_FILE).asText();
                if (rule.has(TABLE)) {
                    throw new BundleException(
                            file,
                            "%s has a table and the table_file '%s'; remove one of the two"
                                    .formatted(field, name));
                }
                Path table = tableFile(file, json.path("checksums"), field, name);
                rule.set(TABLE, MAPPER.valueToTree(table(table, layerJson.path("experts"))));
            }
        }
    }

    private static Path tableFile(Path file, JsonNode checksums, String field, String name)
            throws IOException {
        try {
            Check.path(field + "." + TABLE_FILE, name);
        } catch (IllegalArgumentException e) {
            throw new BundleException(file, e.getMessage(), e);
        }
        if (!checksums.path(name).isTextual()) {
            throw new BundleException(
                    file,
                    "checksums has no entry for %s; expected the SHA-256 of every file"
                            .formatted(name));
        }
        return Check.verified(file.getParent(), name, checksums.path(name).asText());
    }

    private static Map<String, String> table(Path table, JsonNode experts) throws IOException {
        List<String> names = new ArrayList<>();
        for (JsonNode expert : experts) {
            names.add(expert.path("name").asText(String.valueOf(names.size())));
        }
        try {
            return RuleTable.read(table, names);
        } catch (RuleTable.WrongTableException e) {
            throw new BundleException(table, e.getMessage(), e);
        }
    }

    /** Names the field, what was found and what is expected. */
    private static String message(JsonNode json, JsonMappingException e) {
        String where = where(e);
        if (e instanceof UnrecognizedPropertyException unknown) {
            return "%s is not a known field; known fields are %s"
                    .formatted(where, unknown.getKnownPropertyIds());
        }
        if (e instanceof ValueInstantiationException) {
            String cause =
                    e.getCause() == null ? e.getOriginalMessage() : e.getCause().getMessage();
            return where.isEmpty() ? cause : where + ": " + cause;
        }
        if (e instanceof MismatchedInputException mismatch) {
            return "%s is %s; expected %s"
                    .formatted(where, found(json, e), expected(mismatch.getTargetType()));
        }
        return where + ": " + e.getOriginalMessage();
    }

    /** The fields of another format would be reported as unknown, which helps nobody. */
    private static void checkVersion(JsonNode version, Path file) throws BundleException {
        if (version.isInt() && version.asInt() != BundleSpec.FORMAT_VERSION) {
            throw new BundleException(file, BundleSpec.otherFormat(version.asInt()), null);
        }
    }

    private static String found(JsonNode json, JsonMappingException e) {
        JsonNode node = json;
        for (JsonMappingException.Reference step : e.getPath()) {
            node =
                    step.getFieldName() == null
                            ? node.path(step.getIndex())
                            : node.path(step.getFieldName());
        }
        return node.isMissingNode() ? "missing" : node.toString();
    }

    private static String expected(Class<?> type) {
        if (type.isEnum()) {
            return "one of " + Arrays.toString(type.getEnumConstants()).toLowerCase(Locale.ROOT);
        } else if (type == int.class || type == Integer.class) {
            return "an integer";
        } else if (type == float.class || type == Float.class) {
            return "a number";
        } else if (type == boolean.class) {
            return "true or false";
        } else if (type == Slice.class) {
            return "[from, to], two integers";
        } else if (type == ModelFile.class) {
            return "a path, or an object with file, input and output";
        } else if (type == String.class) {
            return "a string";
        }
        return Collection.class.isAssignableFrom(type) ? "a list" : "an object";
    }

    /** The path of a field, such as {@code layers[0].routing.num_experts}. */
    private static String where(JsonMappingException e) {
        StringBuilder where = new StringBuilder();
        for (JsonMappingException.Reference step : e.getPath()) {
            if (step.getFieldName() == null) {
                where.append('[').append(step.getIndex()).append(']');
            } else {
                where.append(where.isEmpty() ? "" : ".").append(step.getFieldName());
            }
        }
        return where.toString();
    }
}
