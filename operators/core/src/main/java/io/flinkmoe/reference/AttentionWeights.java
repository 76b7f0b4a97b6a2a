// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The weights of a mixture of attention heads: N experts of H heads each, over tokens of width d.
 *
 * @param gate the router, from d to N
 * @param heads H
 * @param queries the N query projections Wq, each [H*head_dim, d]
 * @param keys the key projection that all experts share, [H*head_dim, d]
 * @param values the value projection that all experts share, [H*head_dim, d]
 * @param outputs the N output projections Wo, each [d, H*head_dim]
 * @param outBias [d], added once after the weighted sum; null for none
 */
@Internal
public record AttentionWeights(
        Gate gate,
        int heads,
        List<Linear> queries,
        Linear keys,
        Linear values,
        List<Linear> outputs,
        float[] outBias) {

    public AttentionWeights {
        queries = List.copyOf(queries);
        outputs = List.copyOf(outputs);
        int d = gate.width();
        int width = keys.outputs();
        if (heads < 1 || width % heads != 0) {
            throw new IllegalArgumentException(
                    "heads is %d; allowed: a divisor of the width of the keys, which is %d"
                            .formatted(heads, width));
        }
        requireShape("keys", keys, width, d);
        requireShape("values", values, width, d);
        requireCount("queries", queries, gate);
        requireCount("outputs", outputs, gate);
        for (int expert = 0; expert < gate.numExperts(); expert++) {
            requireShape("queries[%d]".formatted(expert), queries.get(expert), width, d);
            requireShape("outputs[%d]".formatted(expert), outputs.get(expert), d, width);
        }
        if (outBias != null && outBias.length != d) {
            throw new IllegalArgumentException(
                    "out_bias has %d values; allowed: d, which is %d".formatted(outBias.length, d));
        }
    }

    /** d. */
    public int width() {
        return gate.width();
    }

    public int headDim() {
        return keys.outputs() / heads;
    }

    private static void requireCount(String name, List<Linear> maps, Gate gate) {
        if (maps.size() != gate.numExperts()) {
            throw new IllegalArgumentException(
                    "%s has %d maps; allowed: the experts of the gate, which are %d"
                            .formatted(name, maps.size(), gate.numExperts()));
        }
    }

    private static void requireShape(String name, Linear map, int outputs, int inputs) {
        if (map.outputs() != outputs || map.inputs() != inputs) {
            throw new IllegalArgumentException(
                    "%s is [%d, %d]; allowed: [%d, %d]"
                            .formatted(name, map.outputs(), map.inputs(), outputs, inputs));
        }
    }
}
