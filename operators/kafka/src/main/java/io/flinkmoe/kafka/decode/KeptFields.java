// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import java.io.Serializable;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * Which fields of a record its answer has.
 *
 * @param kept the fields
 * @param taken the names of the other fields of the answer
 */
@Internal
public record KeptFields(Kept kept, Set<String> taken) {

    /** Some fields, or all. */
    public sealed interface Kept extends Serializable {}

    /** The fields at some paths, each under its last name. */
    public record Some(List<FieldPath> paths) implements Kept {

        public Some {
            paths = List.copyOf(paths);
        }
    }

    /** All fields at the top. */
    public record All() implements Kept {}

    public KeptFields {
        taken = new LinkedHashSet<>(taken);
        if (kept instanceof Some some) {
            for (FieldPath path : some.paths()) {
                requireFree(path, path.last(), taken);
            }
        }
    }

    /**
     * @throws IllegalArgumentException if another field of the answer has a name
     */
    void requireFree(String name) {
        requireFree(name, name, taken);
    }

    private static void requireFree(Object field, String name, Set<String> taken) {
        if (taken.contains(name)) {
            throw new IllegalArgumentException(
                    "the kept field %s has the name of another field of the answer; allowed: other names than %s"
                            .formatted(field, String.join(", ", taken)));
        }
    }
}
