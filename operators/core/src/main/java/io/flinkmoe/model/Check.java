// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** Checks of the values in model.json. A message begins with the name of the field. */
@Internal
final class Check {

    /** A vector of this width takes 4 MiB, and buffers hold many vectors. */
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
            throw new IllegalArgumentException(field + " is missing or blank; set it");
        }
    }

    static <T> T present(String field, T value) {
        if (value == null) {
            throw new IllegalArgumentException(field + " is missing; set it");
        }
        return value;
    }

    /** Requires a path inside the bundle: names joined by slashes, none of them {@code ..}. */
    static void path(String field, String path) {
        text(field, path);
        for (String name : path.split("/", -1)) {
            if (name.isEmpty() || name.equals(".") || name.equals("..") || !isPlain(name)) {
                throw new IllegalArgumentException(
                        "%s is '%s'; expected a path inside the bundle, such as experts/0.onnx"
                                .formatted(field, path));
            }
        }
    }

    static void optionalPath(String field, String path) {
        if (path != null) {
            path(field, path);
        }
    }

    /** Requires that the name of a tensor, if there is one, is not blank. */
    static void tensor(String field, String name) {
        if (name != null) {
            text(field, name);
        }
    }

    static List<String> paths(String field, List<String> paths) {
        for (int i = 0; i < paths.size(); i++) {
            path("%s[%d]".formatted(field, i), paths.get(i));
        }
        return paths;
    }

    /** Requires a list with at least one entry and without nulls, and returns a copy. */
    static <T> List<T> list(String field, List<T> list) {
        if (list == null || list.isEmpty()) {
            throw new IllegalArgumentException(
                    field + " is missing or empty; expected at least one entry");
        }
        for (int i = 0; i < list.size(); i++) {
            present("%s[%d]".formatted(field, i), list.get(i));
        }
        return List.copyOf(list);
    }

    private static boolean isPlain(String name) {
        return name.chars().noneMatch(c -> c == '\\' || c == ':' || Character.isISOControl(c))
                && isValidForTheFileSystem(name);
    }

    /** Half a surrogate pair is never valid; other characters depend on the file system. */
    private static boolean isValidForTheFileSystem(String name) {
        try {
            Path.of(name);
            return true;
        } catch (InvalidPathException e) {
            return false;
        }
    }
}
