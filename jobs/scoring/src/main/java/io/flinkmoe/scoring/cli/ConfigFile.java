// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import io.flinkmoe.model.FileErrors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
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
                    "--config is '%s'; %s".formatted(file, FileErrors.notAFile(file)));
        }
        byte[] bytes = Files.readAllBytes(file);
        requireUtf8(file, bytes);
        try (YAMLParser parser = (YAMLParser) YAML.createParser(bytes)) {
            ConfigFile config = new ConfigFile(file, parser);
            config.readDocument();
            return config.values;
        } catch (JsonProcessingException e) {
            throw new IllegalConfigurationException(
                    "%s is not valid YAML: %s".formatted(file, problem(e, bytes)));
        }
    }

    private static void requireUtf8(Path file, byte[] bytes) {
        try {
            CharBuffer text = UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
            if (text.chars().noneMatch(c -> c == 0)) {
                return;
            }
        } catch (CharacterCodingException e) { // Reported below.
        }
        boolean utf16 = bytes.length > 1 && (bytes[0] == 0 || bytes[1] == 0 || isMark(bytes));
        throw new IllegalConfigurationException(
                "%s is not text in UTF-8%s; save it as UTF-8"
                        .formatted(file, utf16 ? ", but in UTF-16" : ""));
    }

    /** Whether a text begins with the byte order mark of UTF-16. */
    private static boolean isMark(byte[] bytes) {
        return bytes[0] == (byte) 0xff && bytes[1] == (byte) 0xfe
                || bytes[0] == (byte) 0xfe && bytes[1] == (byte) 0xff;
    }

    /** The parser's message without the lines that it quotes, which can contain a password. */
    private static String problem(JsonProcessingException e, byte[] bytes) {
        if (e.getCause() == null || e.getLocation() == null) {
            return e.getOriginalMessage().strip(); // Jackson's own message, such as a duplicate key
        }
        int line = e.getLocation().getLineNr();
        return "see line %d, column %d%s"
                .formatted(line, e.getLocation().getColumnNr(), tab(bytes, line));
    }

    /** The parser stops before a tab, in the line above. */
    private static String tab(byte[] bytes, int from) {
        List<String> lines = new String(bytes, UTF_8).lines().toList();
        for (int i = from - 1; i < lines.size(); i++) {
            if (lines.get(i).matches(" *\t.*")) {
                return "; line %d is indented with a tab: use spaces".formatted(i + 1);
            }
        }
        return "";
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
