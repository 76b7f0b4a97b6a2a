package io.flinkmoe.model;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;

/** Checks of the values in model.json; a message begins with the field's name. */
final class Check {

    /** A vector this wide has 4 MiB; buffers hold many. */
    private static final int MAX_WIDTH = 1 << 20;

    private Check() {}

    static void width(String field, int value) {
        if (value < 1 || value > MAX_WIDTH) {
            throw new IllegalArgumentException(
                    "%s is %d; allowed: 1 to %d".formatted(field, value, MAX_WIDTH));
        }
    }

    static void text(String field, String value) {
        if (value == null || value.isBlank()) {
            throw new IllegalArgumentException(field + " is missing or blank; give it a value");
        }
    }

    static <T> T present(String field, T value) {
        if (value == null) {
            throw new IllegalArgumentException(field + " is missing; give it a value");
        }
        return value;
    }

    /** Requires a path below the bundle: names joined by slashes, none of them {@code ..}. */
    static void path(String field, String path) {
        text(field, path);
        for (String name : path.split("/", -1)) {
            if (name.isEmpty() || name.equals(".") || name.equals("..") || !isPlain(name)) {
                throw new IllegalArgumentException(
                        "%s is '%s'; allowed: a path below the bundle's directory, such as experts/0.onnx"
                                .formatted(field, path));
            }
        }
    }

    static void paths(String field, List<String> paths) {
        for (int i = 0; i < paths.size(); i++) {
            path("%s[%d]".formatted(field, i), paths.get(i));
        }
    }

    private static boolean isPlain(String name) {
        return name.chars().noneMatch(c -> c == '\\' || c == ':' || Character.isISOControl(c))
                && isKnownToTheFileSystem(name);
    }

    /** Half a surrogate pair is no name, and not every system can write every letter. */
    private static boolean isKnownToTheFileSystem(String name) {
        try {
            Path.of(name);
            return true;
        } catch (InvalidPathException e) {
            return false;
        }
    }
}
