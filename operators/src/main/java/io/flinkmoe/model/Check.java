package io.flinkmoe.model;

import java.util.List;

/** Checks of the values in model.json; a message begins with the field's name. */
final class Check {

    private Check() {}

    static void positive(String field, int value) {
        if (value < 1) {
            throw new IllegalArgumentException(
                    "%s is %d; allowed: 1 or more".formatted(field, value));
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
        return name.chars().noneMatch(c -> c == '\\' || c == ':' || Character.isISOControl(c));
    }
}
