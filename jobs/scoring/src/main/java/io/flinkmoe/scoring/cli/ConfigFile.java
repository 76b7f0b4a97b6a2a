// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.IllegalConfigurationException;

/**
 * A YAML file of options. Keys such as {@code moe.capacity.policy} can be nested or dotted. Values
 * are texts as they are written, also numbers: a topic {@code 0123} is not 83.
 */
@Internal
public final class ConfigFile {

    private static final JsonFactory YAML =
            new YAMLFactory().enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION);

    private final Path file;
    private final YAMLParser parser;
    private final Map<String, String> values = new LinkedHashMap<>();

    private ConfigFile(Path file, YAMLParser parser) {
        this.file = file;
        this.parser = parser;
    }

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
        try (YAMLParser parser = (YAMLParser) YAML.createParser(Files.readAllBytes(file))) {
            ConfigFile config = new ConfigFile(file, parser);
            config.readDocument();
            return config.values;
        } catch (JsonProcessingException e) {
            throw new IllegalConfigurationException(
                    "%s is not valid YAML: %s".formatted(file, problem(e)));
        }
    }

    /** The parser's message without the lines that it quotes, which can contain a password. */
    private static String problem(JsonProcessingException e) {
        if (e.getCause() == null || e.getLocation() == null) {
            return e.getOriginalMessage().strip(); // Jackson's own message, such as a duplicate key
        }
        return "see line %d, column %d"
                .formatted(e.getLocation().getLineNr(), e.getLocation().getColumnNr());
    }

    private void readDocument() throws IOException {
        JsonToken first = parser.nextToken();
        if (first == JsonToken.START_OBJECT) {
            readObject("");
        } else if (first != null && first != JsonToken.VALUE_NULL) {
            throw new IllegalConfigurationException(
                    "%s must contain keys and values, such as 'moe.bundle: model'".formatted(file));
        }
    }

    /** Reads the fields of an object up to its end. */
    private void readObject(String prefix) throws IOException {
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String key = prefix + parser.currentName();
            JsonToken value = parser.nextToken();
            if (value == JsonToken.START_OBJECT) {
                readObject(key + ".");
            } else if (value == JsonToken.START_ARRAY) {
                put(key, list(key));
            } else if (value != JsonToken.VALUE_NULL) {
                put(key, text(key));
            }
        }
    }

    private void put(String key, String value) {
        if (values.put(key, value) != null) {
            throw new IllegalConfigurationException("%s has %s twice".formatted(file, key));
        }
    }

    private String list(String key) throws IOException {
        List<String> entries = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            if (!parser.currentToken().isScalarValue()) {
                throw new IllegalConfigurationException(
                        "%s: %s must be a list of plain values".formatted(file, key));
            }
            entries.add(text(key));
        }
        return String.join(";", entries);
    }

    /**
     * The text of a plain value as it is written. An alias is refused without its name, which can
     * be a password that begins with an asterisk.
     */
    private String text(String key) throws IOException {
        if (parser.isCurrentAlias()) {
            throw new IllegalConfigurationException(
                    "%s is not valid YAML: see line %d, where the value of %s begins with *; put it in quotes"
                            .formatted(file, parser.currentTokenLocation().getLineNr(), key));
        }
        return parser.getText();
    }
}
