// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * An expert of a layer.
 *
 * @param name the name by which rules and reports call the expert; null for its number
 * @param file the model [batch, input] → [batch, outputSize], relative to the bundle; null for an
 *     identity expert
 * @param input the columns of the experts' input that the expert reads; null for all
 * @param outputSize the width of its output
 * @param identity true for an expert whose output is its input; no model runs (LongCat's zero
 *     experts); null for false
 */
@PublicEvolving
public record ExpertSpec(
        String name, ModelFile file, Slice input, int outputSize, Boolean identity) {

    public ExpertSpec {
        if (name != null) {
            Check.text("name", name);
        }
        if (identity != null && identity) {
            if (file != null) {
                throw new IllegalArgumentException(
                        "file is '%s', but identity is true; remove one of the two"
                                .formatted(file));
            }
        } else {
            identity = null;
            Check.present("file", file);
        }
        Check.width("output_size", outputSize);
    }

    /** An expert with a model. */
    public ExpertSpec(String name, ModelFile file, Slice input, int outputSize) {
        this(name, file, input, outputSize, null);
    }

    /** An expert without a name whose output is its input. */
    public static ExpertSpec identity(int width) {
        return new ExpertSpec(null, null, null, width, true);
    }

    /** Whether the output is the input. */
    public boolean isIdentity() {
        return identity != null;
    }

    /** An expert without a name that reads the whole input. */
    public static ExpertSpec of(String file, int outputSize) {
        return new ExpertSpec(null, ModelFile.of(file), null, outputSize);
    }

    /** The number of the expert with a name, or of the one without a name that it numbers. */
    static int number(List<ExpertSpec> experts, String name) {
        for (int i = 0; i < experts.size(); i++) {
            if (name.equals(name(experts, i))) {
                return i;
            }
        }
        return -1;
    }

    /** The name of an expert, or its number. */
    static String name(List<ExpertSpec> experts, int expert) {
        String name = experts.get(expert).name();
        return name == null ? String.valueOf(expert) : name;
    }
}
