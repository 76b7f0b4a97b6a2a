// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.tensor.ForeignFile;
import io.flinkmoe.tensor.Sha256;
import java.io.IOException;
import java.nio.file.Files;
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

    /**
     * Requires a file inside a bundle.
     *
     * @param root the real path of the bundle
     * @param hint says what to do if it is missing
     */
    static Path existing(Path root, String relative, String hint) throws IOException {
        Path file = root.resolve(relative);
        if (!Files.isRegularFile(file)) {
            throw new BundleException(
                    file, "%s, but %s".formatted(FileErrors.notAFile(file), hint));
        }
        Path real = file.toRealPath();
        if (!real.startsWith(root)) {
            throw new BundleException(
                    file,
                    "it links to %s, outside the bundle; copy the file into the bundle"
                            .formatted(real));
        }
        return file;
    }

    /** The same for a file whose checksum is verified. */
    static Path verified(Path root, String relative, String expected) throws IOException {
        Path file =
                existing(root, relative, "model.json lists it; copy or import the bundle again");
        String found = Sha256.of(file);
        if (!found.equals(expected)) {
            String reason =
                    "its SHA-256 is %s; expected %s according to model.json; copy or import the bundle again"
                            .formatted(found, expected);
            throw new BundleException(file, ForeignFile.kindOf(file).orElse(reason));
        }
        return file;
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
