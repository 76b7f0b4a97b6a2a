// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.IllegalConfigurationException;

/** A YAML file of options. Keys such as {@code moe.capacity.policy} can be nested or dotted. */
@Internal
public final class ConfigFile {

    private static final YAMLMapper MAPPER =
            YAMLMapper.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

    private ConfigFile() {}

    /**
     * Reads a file into values by dotted key. A list becomes one string, separated by semicolons.
     *
     * @throws IllegalConfigurationException if the file is missing, is not YAML, or contains a key
     *     twice
     */
    public static Map<String, String> read(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new IllegalConfigurationException(
                    "--config is '%s'; there is no such file".formatted(file));
        }
        JsonNode root;
        try {
            root = MAPPER.readTree(file.toFile());
        } catch (JsonProcessingException e) {
            throw new IllegalConfigurationException(
                    "%s is not valid YAML: %s".formatted(file, problem(e)));
        }
        Map<String, String> values = new LinkedHashMap<>();
        if (root.isObject()) {
            flatten("", root, values, file);
        } else if (!root.isMissingNode() && !root.isNull()) {
            throw new IllegalConfigurationException(
                    "%s must contain keys and values, such as 'moe.bundle: model'".formatted(file));
        }
        return values;
    }

    /** The parser's message without the lines that it quotes, which can contain a password. */
    private static String problem(JsonProcessingException e) {
        if (e.getCause() == null || e.getLocation() == null) {
            return e.getOriginalMessage().strip(); // Jackson's own message, such as a duplicate key
        }
        return "see line %d, column %d"
                .formatted(e.getLocation().getLineNr(), e.getLocation().getColumnNr());
    }

    private static void flatten(
            String prefix, JsonNode node, Map<String, String> values, Path file) {
        for (Map.Entry<String, JsonNode> field : node.properties()) {
            String key = prefix + field.getKey();
            JsonNode value = field.getValue();
            if (value.isObject()) {
                flatten(key + ".", value, values, file);
            } else if (!value.isNull() && values.put(key, text(key, value, file)) != null) {
                throw new IllegalConfigurationException("%s has %s twice".formatted(file, key));
            }
        }
    }

    private static String text(String key, JsonNode value, Path file) {
        if (!value.isArray()) {
            return value.asText();
        }
        List<String> entries = new ArrayList<>();
        for (JsonNode entry : value) {
            if (!entry.isValueNode()) {
                throw new IllegalConfigurationException(
                        "%s: %s must be a list of plain values".formatted(file, key));
            }
            entries.add(entry.asText());
        }
        return String.join(";", entries);
    }
}
