// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * An ONNX file of a bundle, and which of its tensors are used. In model.json it is the path, or an
 * object with the fields {@code file}, {@code input} and {@code output}.
 *
 * @param file the path relative to the bundle
 * @param input the name of the input; null if the graph has only one
 * @param output the name of the output; null if the graph has only one. The others are never
 *     computed for us: a classifier may have its label beside its probabilities
 */
@PublicEvolving
public record ModelFile(String file, String input, String output) {

    public ModelFile {
        Check.path("file", file);
        Check.tensor("input", input);
        Check.tensor("output", output);
    }

    /** A file with one input and one output. */
    public static ModelFile of(String file) {
        return new ModelFile(file, null, null);
    }

    /** The same, or null for null. */
    public static ModelFile ofNullable(String file) {
        return file == null ? null : of(file);
    }

    /** The same for the value of a field. */
    static ModelFile of(String field, String file) {
        Check.optionalPath(field, file);
        return ofNullable(file);
    }

    /** Files with one input and one output each. */
    static List<ModelFile> listOf(String field, List<String> files) {
        return Check.paths(field, files).stream().map(ModelFile::of).toList();
    }

    /** Whether it names no tensor. */
    public boolean isPlain() {
        return input == null && output == null;
    }

    /** The path, and the tensors if they are named. */
    @Override
    public String toString() {
        return isPlain() ? file : "%s(%s, %s)".formatted(file, input, output);
    }
}
