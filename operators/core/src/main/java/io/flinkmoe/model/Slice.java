// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import org.apache.flink.annotation.PublicEvolving;

/**
 * Some columns of a layer's input; in model.json a list of two numbers.
 *
 * @param from the first column, counted from 0
 * @param to the column after the last one
 */
@PublicEvolving
public record Slice(int from, int to) {

    public Slice {
        if (from < 0 || to <= from) {
            throw new IllegalArgumentException(
                    "[%d, %d] is no slice; allowed: [from, to] with 0 <= from < to"
                            .formatted(from, to));
        }
    }

    /** The number of columns. */
    public int width() {
        return to - from;
    }
}
