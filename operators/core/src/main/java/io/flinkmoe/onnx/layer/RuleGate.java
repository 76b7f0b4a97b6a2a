// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import io.flinkmoe.column.InputLayout;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.RuleSpec;
import io.flinkmoe.onnx.DirectRows;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * A gate that looks up the expert of a token's stream, or of its value in an input column, in a
 * table. Its weight is 1.
 */
@Internal
final class RuleGate implements Gate {

    private static final int NO_MATCH = -1;
    private static final int STREAM = -1;

    private final Map<String, Integer> table = new HashMap<>();
    private final int key; // the string of a token, or STREAM
    private final int fallback;
    private final int[] experts;
    private final float[] weights;

    RuleGate(LayerSpec layer, int gate, int maxRows, InputLayout inputs) {
        RuleSpec rule = layer.gates().get(gate).rule();
        this.key = rule.column() == null ? STREAM : inputs.keyOf(rule.column());
        rule.table().forEach((value, name) -> table.put(value, layer.expertNumber(name)));
        this.fallback = rule.fallback() == null ? NO_MATCH : layer.expertNumber(rule.fallback());
        this.experts = new int[maxRows];
        this.weights = new float[maxRows];
    }

    @Override
    public int k() {
        return 1;
    }

    @Override
    public int ranks() {
        return 1;
    }

    @Override
    public void route(RouterBatch batch, DirectRows input) {
        for (int token = 0; token < batch.tokens(); token++) {
            Integer expert =
                    table.get(key == STREAM ? batch.streams()[token] : batch.string(token, key));
            experts[token] = expert == null ? fallback : expert;
            weights[token] = experts[token] == NO_MATCH ? 0 : 1;
        }
    }

    @Override
    public int[] experts() {
        return experts;
    }

    @Override
    public float[] weights() {
        return weights;
    }

    @Override
    public float[] scores(int tokens) {
        return Arrays.copyOf(weights, tokens);
    }

    @Override
    public RoutingFault fault(int token) {
        return experts[token] == NO_MATCH ? RoutingFault.NO_MATCH : RoutingFault.NONE;
    }

    @Override
    public double laterFactor() {
        return 1;
    }
}
