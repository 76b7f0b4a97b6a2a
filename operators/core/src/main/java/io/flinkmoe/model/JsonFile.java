package io.flinkmoe.model;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.CharConversionException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Reads JSON files that others have made. */
public final class JsonFile {
    private static final long MAX_BYTES = 32 << 20;

    private JsonFile() {}

    /** The exception that a kind of file is refused with. */
    @FunctionalInterface
    public interface Refusal {
        IOException because(Path file, String message, Throwable cause);
    }

    /**
     * The object that a file of at most 32 MiB holds; the index of the largest published checkpoint
     * has 10.
     *
     * @param refusal what is thrown if the file is larger, or holds anything else
     */
    public static JsonNode readObject(ObjectMapper mapper, Path file, Refusal refusal)
            throws IOException {
        long size = Files.size(file);
        if (size > MAX_BYTES) {
            throw refusal.because(
                    file, "it has %d bytes; allowed: up to %d".formatted(size, MAX_BYTES), null);
        }
        JsonNode json;
        try {
            json = mapper.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            throw refusal.because(
                    file,
                    "not valid JSON%s: %s"
                            .formatted(atLine(e.getLocation()), e.getOriginalMessage()),
                    e);
        } catch (CharConversionException e) { // The first bytes look like those of UTF-32.
            throw refusal.because(file, "not valid JSON: " + e.getMessage(), e);
        }
        if (!json.isObject()) {
            throw refusal.because(file, "it is not a JSON object", null);
        }
        return json;
    }

    /** What is nested too deeply, or has too many digits, has no place. */
    private static String atLine(JsonLocation location) {
        return location == null ? "" : " at line " + location.getLineNr();
    }
}
