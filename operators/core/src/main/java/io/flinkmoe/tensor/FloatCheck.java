// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/** Which floats a reader of a {@link SafetensorsFile} accepts. */
@PublicEvolving
public enum FloatCheck {
    /** Any float, NaN included. */
    ANY,
    /** Neither NaN nor infinite: weights. */
    FINITE,
    /** Finite, or −∞: weights and masks of a router. */
    FINITE_OR_MASKED;

    /** Returns the index of the first float that is not accepted, or -1. */
    int firstBad(float[] values, int from, int count) {
        if (this == ANY || Floats.allFinite(values, from, count)) {
            return -1;
        }
        for (int i = from; i < from + count; i++) {
            boolean masked = this == FINITE_OR_MASKED && values[i] == Float.NEGATIVE_INFINITY;
            if (!Float.isFinite(values[i]) && !masked) {
                return i;
            }
        }
        return -1;
    }

    /** What is accepted, for messages. */
    String allowed() {
        return this == FINITE ? "finite values" : "finite values and -Infinity";
    }

    /**
     * The indices of an element in each dimension.
     *
     * @param element the number of the element in row-major order
     */
    static List<Long> indices(List<Long> shape, long element) {
        List<Long> indices = new ArrayList<>();
        long rest = element;
        for (int i = shape.size() - 1; i >= 0; i--) {
            indices.add(rest % shape.get(i));
            rest /= shape.get(i);
        }
        Collections.reverse(indices);
        return indices;
    }
}
