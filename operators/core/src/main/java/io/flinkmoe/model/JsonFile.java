// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.tensor.ForeignFile;
import java.io.CharConversionException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;

/** Reads JSON files from outside the project, which may be damaged or malicious. */
@Internal
public final class JsonFile {
    private static final long MAX_BYTES = 32 << 20;

    private JsonFile() {}

    /** Makes the exception for a file that cannot be read; the cause may be null. */
    @FunctionalInterface
    public interface ExceptionFactory {
        IOException create(Path file, String message, Throwable cause);
    }

    /**
     * The JSON object in a file of at most 32 MiB. (The index of the largest published checkpoint
     * has 10 MiB.)
     *
     * @param exceptions makes the exception if the file is larger or is not a JSON object
     */
    public static JsonNode readObject(ObjectMapper mapper, Path file, ExceptionFactory exceptions)
            throws IOException {
        long size = Files.size(file);
        if (size > MAX_BYTES) {
            throw exceptions.create(
                    file, "it has %d bytes; allowed: up to %d".formatted(size, MAX_BYTES), null);
        }
        JsonNode json;
        try {
            json = mapper.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            String reason =
                    "not valid JSON%s: %s"
                            .formatted(atLine(e.getLocation()), e.getOriginalMessage());
            throw exceptions.create(file, ForeignFile.kindOf(file).orElse(reason), e);
        } catch (CharConversionException e) { // The first bytes look like UTF-32.
            throw exceptions.create(file, "not valid JSON: " + e.getMessage(), e);
        }
        if (!json.isObject()) {
            throw exceptions.create(
                    file, ForeignFile.kindOf(file).orElse("it is not a JSON object"), null);
        }
        return json;
    }

    /** Jackson gives no location if the nesting is too deep or a number has too many digits. */
    private static String atLine(JsonLocation location) {
        return location == null ? "" : " at line " + location.getLineNr();
    }
}
