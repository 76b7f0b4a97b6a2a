// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import org.apache.avro.Schema;
import org.apache.flink.annotation.Internal;

/** Reads files (.avsc) with an Avro schema. */
@Internal
final class SchemaFile {

    /** Characters of Avro's own words in messages. */
    private static final int MAX_WORDS = 300;

    private SchemaFile() {}

    /**
     * @throws IOException if it cannot be read, or has no schema; the message is one line that
     *     names the file once
     */
    static Schema read(String path) throws IOException {
        String text = text(path);
        if (text.isBlank()) {
            throw unusable(path, "it is empty", null);
        }
        try {
            return new Schema.Parser().parse(text);
        } catch (RuntimeException e) {
            // Of Avro any: it has a NullPointerException for the name of a type that is unknown.
            throw unusable(path, reason(e), e);
        }
    }

    private static String text(String path) throws IOException {
        try {
            Path file = Path.of(path);
            if (Files.isDirectory(file)) {
                throw unusable(path, "it is a folder; expected a file", null);
            }
            return Files.readString(file);
        } catch (InvalidPathException e) {
            throw unusable(path, "it is no path", e);
        } catch (CharacterCodingException e) {
            throw unusable(path, "it is no text in UTF-8", e);
        } catch (NoSuchFileException e) {
            throw unusable(path, "there is no such file", e);
        } catch (AccessDeniedException e) {
            throw unusable(path, "permission denied", e);
        } catch (FileSystemException e) {
            throw unusable(path, String.valueOf(e.getReason()), e);
        }
    }

    private static IOException unusable(String path, String reason, Exception cause) {
        return new IOException(
                "the schema file %s cannot be used: %s".formatted(path, reason), cause);
    }

    private static String reason(RuntimeException e) {
        if (e.getCause() instanceof JsonProcessingException json) {
            JsonLocation at = json.getLocation();
            return at == null
                    ? "it is no JSON"
                    : "it is no JSON, at line %d, column %d"
                            .formatted(at.getLineNr(), at.getColumnNr());
        }
        String words = String.valueOf(e.getMessage()).replaceAll("\\s+", " ").strip();
        return "it has no Avro schema: " + words.substring(0, Math.min(words.length(), MAX_WORDS));
    }
}
