// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.flink.annotation.Internal;

/**
 * The families that can be imported, as families.json declares them. A declaration takes over what
 * it does not say from the one that {@code like} names, and that from {@code defaults}. {@code
 * when} has what is declared otherwise if keys of config.json have certain values.
 */
@Internal
final class Families {

    private static final String RESOURCE = "families.json";
    private static final String DEFAULTS = "defaults";

    private static final JsonMapper MAPPER =
            JsonMapper.builder()
                    .enable(JsonReadFeature.ALLOW_UNQUOTED_FIELD_NAMES)
                    .enable(JsonReadFeature.ALLOW_JAVA_COMMENTS)
                    .enable(JsonReadFeature.ALLOW_TRAILING_COMMA)
                    .enable(MapperFeature.ACCEPT_CASE_INSENSITIVE_ENUMS)
                    .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
                    .disable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
                    .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                    .build();

    /** By model type, without what {@code like} adds. */
    private final Map<String, ObjectNode> declarations = new LinkedHashMap<>();

    private Families(JsonNode file) {
        for (Map.Entry<String, JsonNode> family : file.properties()) {
            declarations.put(family.getKey(), (ObjectNode) family.getValue());
        }
    }

    private static final class Loaded {
        static final Families FAMILIES = load();
    }

    /** The families of this release. */
    static Families get() {
        return Loaded.FAMILIES;
    }

    private static Families load() {
        try (InputStream in = Families.class.getResourceAsStream(RESOURCE)) {
            return new Families(MAPPER.readTree(in));
        } catch (IOException e) {
            throw new UncheckedIOException(RESOURCE, e);
        }
    }

    /** All families in the order of the file, as they are without a config.json. */
    List<Family> all() {
        List<Family> all = new ArrayList<>();
        for (String name : declarations.keySet()) {
            if (!name.equals(DEFAULTS)) {
                all.add(family(name, null));
            }
        }
        return all;
    }

    /**
     * The family of a checkpoint.
     *
     * @throws CheckpointException if it is not supported, or a key has a value that is not
     */
    Family of(CheckpointConfig config) throws CheckpointException {
        for (String type : config.modelTypes()) {
            for (String name : declarations.keySet()) {
                if (!name.equals(DEFAULTS) && modelTypes(name).contains(type)) {
                    return checked(family(name, config), config);
                }
            }
        }
        TreeSet<String> known = new TreeSet<>();
        all().stream().filter(f -> f.refused() == null).forEach(f -> known.addAll(f.modelTypes()));
        throw config.invalid("model_type", "one of " + String.join(", ", known));
    }

    private List<String> modelTypes(String name) {
        List<String> types = new ArrayList<>(List.of(name));
        declarations.get(name).path("also").forEach(type -> types.add(type.asText()));
        return types;
    }

    private static Family checked(Family family, CheckpointConfig config)
            throws CheckpointException {
        if (family.refused() != null) {
            throw config.invalid(
                    "model_type %s cannot be imported: %s"
                            .formatted(family.modelTypes().get(0), family.refused()));
        }
        for (Map.Entry<String, List<JsonNode>> required : family.requires().entrySet()) {
            config.require(required.getKey(), required.getValue());
        }
        return family;
    }

    /**
     * @param config decides on {@code when}; null for none
     */
    private Family family(String name, CheckpointConfig config) {
        ObjectNode whole = whole(name);
        JsonNode variants = whole.remove("when");
        if (variants != null && config != null) {
            for (JsonNode variant : variants) {
                ObjectNode changes = variant.deepCopy();
                if (config.matches(changes.remove("if"))) {
                    merge(whole, changes);
                }
            }
        }
        whole.remove(List.of("like", "also"));
        whole.set("model_types", MAPPER.valueToTree(modelTypes(name)));
        try {
            return MAPPER.treeToValue(whole, Family.class);
        } catch (IOException e) {
            throw new UncheckedIOException("%s: %s".formatted(RESOURCE, name), e);
        }
    }

    /** A declaration with what it takes over. */
    private ObjectNode whole(String name) {
        ObjectNode own = declarations.get(name);
        if (name.equals(DEFAULTS)) {
            return own.deepCopy();
        }
        ObjectNode whole = whole(own.path("like").asText(DEFAULTS));
        whole.remove(List.of("when", "models", "note"));
        merge(whole, own);
        return whole;
    }

    /** Objects are merged field by field; all else is replaced. */
    private static void merge(ObjectNode into, ObjectNode changes) {
        for (Map.Entry<String, JsonNode> change : changes.properties()) {
            JsonNode old = into.get(change.getKey());
            if (old instanceof ObjectNode object
                    && change.getValue() instanceof ObjectNode fields
                    && !change.getKey().equals("stacks")) {
                merge(object, fields);
            } else {
                into.set(change.getKey(), change.getValue().deepCopy());
            }
        }
    }
}
