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
    /**
     * Neither NaN nor infinite: weights. −∞ in a router's weight masks no expert: times values of
     * both signs it is NaN.
     */
    FINITE;

    /** Returns the index of the first float that is not accepted, or -1. */
    int firstBad(float[] values, int from, int count) {
        if (this == ANY || Floats.allFinite(values, from, count)) {
            return -1;
        }
        for (int i = from; i < from + count; i++) {
            if (!Float.isFinite(values[i])) {
                return i;
            }
        }
        return -1;
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
