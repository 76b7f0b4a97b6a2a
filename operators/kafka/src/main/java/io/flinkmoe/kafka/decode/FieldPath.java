// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import java.io.Serializable;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The way to a value in a record: names of fields, from the outside in. In a map, a name is a key.
 *
 * @param names one or more
 */
@Internal
public record FieldPath(List<String> names) implements Serializable {

    private static final String SEPARATOR = ".";

    public FieldPath {
        names = List.copyOf(names);
    }

    /**
     * Reads a path.
     *
     * @param text names separated by dots, such as {@code geo.country}
     * @throws IllegalArgumentException if a name is empty or no Unicode
     */
    public static FieldPath of(String text) {
        if (!Unicode.isValid(text)) {
            throw new IllegalArgumentException(
                    "the path '%s' has half of a surrogate pair; allowed: Unicode".formatted(text));
        }
        if (!isPath(text)) {
            throw new IllegalArgumentException(
                    "the path '%s' has an empty name; allowed: names separated by dots, such as geo.country"
                            .formatted(text));
        }
        return new FieldPath(names(text));
    }

    /** Whether no name in a path is empty. */
    public static boolean isPath(String text) {
        return !names(text).contains("");
    }

    private static List<String> names(String text) {
        return List.of(text.strip().split("\\.", -1));
    }

    /** The name of the value itself. */
    public String last() {
        return names.get(names.size() - 1);
    }

    /** The path to the first {@code length} names. */
    public FieldPath first(int length) {
        return new FieldPath(names.subList(0, length));
    }

    @Override
    public String toString() {
        return String.join(SEPARATOR, names);
    }
}
