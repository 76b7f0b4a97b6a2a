// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.flinkmoe.reference.GateResult;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;

/** Compares what a model with several gates answers with a golden case. */
public final class GoldenLevelsCheck {

    private final GoldenCase golden;
    private final GoldenLevels levels;
    private final int tokens;

    public GoldenLevelsCheck(GoldenCase golden) {
        this.golden = golden;
        this.levels = new GoldenLevels(golden);
        this.tokens = golden.integer("tokens");
    }

    /** Runs the reference. */
    void checkReference(Path directory) throws Exception {
        ReferenceModel.Result result;
        try (ReferenceModel model = ReferenceModel.open(levels.write(directory.resolve("b")))) {
            result = model.forward(golden.floats("x"), tokens);
        }
        golden.assertOut(result.out());
        for (int level = 0; level < levels.size(); level++) {
            LayerResult layer = result.layers().get(level);
            for (int gate = 0; gate < levels.gates(level).size(); gate++) {
                GateResult found =
                        layer.gates().isEmpty() ? oneGate(level, layer) : layer.gates().get(gate);
                if (golden.hasTensor(GoldenLevels.tensor(level, gate, "logits"))) {
                    golden.assertClose(
                            GoldenLevels.tensor(level, gate, "logits"), found.logits(), 1e-5);
                }
                checkGate(level, gate, found.experts(), found.weights());
                checkSum(level, gate, layer.out());
            }
        }
        checkIntermediates();
        checkTasks();
    }

    /** The one gate of a level: its choices are those of the layer. */
    private GateResult oneGate(int level, LayerResult layer) {
        int[] columns = levels.experts(level, 0);
        int n = layer.logits().length / tokens;
        float[] logits = new float[tokens * columns.length];
        for (int i = 0; i < logits.length; i++) {
            int token = i / columns.length;
            logits[i] = layer.logits()[token * n + columns[i % columns.length]];
        }
        return new GateResult(logits, layer.experts(), layer.weights());
    }

    /** Compares what a gate of a level chose for all tokens: [T, k] each. */
    public void checkGate(int level, int gate, int[] experts, float[] weights) {
        int[] columns = levels.experts(level, gate);
        int k = experts.length / tokens;
        float[] all = new float[tokens * columns.length];
        for (int i = 0; i < experts.length; i++) {
            for (int column = 0; column < columns.length; column++) {
                if (columns[column] == experts[i]) {
                    all[i / k * columns.length + column] = weights[i];
                }
            }
        }
        golden.assertClose(GoldenLevels.tensor(level, gate, "weights"), all, 2e-6);
        if (golden.hasTensor(GoldenLevels.tensor(level, gate, "topk_ids"))) {
            golden.assertIds(GoldenLevels.tensor(level, gate, "topk_ids"), experts);
            golden.assertClose(GoldenLevels.tensor(level, gate, "topk_weights"), weights, 2e-6);
        }
    }

    /** Compares the columns of a gate in the output of a level, [T, output size]. */
    private void checkSum(int level, int gate, float[] out) {
        JsonNode columns = levels.gates(level).get(gate).path("output");
        int from = columns.get(0).asInt();
        int width = columns.get(1).asInt() - from;
        int all = out.length / tokens;
        float[] sum = new float[tokens * width];
        for (int token = 0; token < tokens; token++) {
            System.arraycopy(out, token * all + from, sum, token * width, width);
        }
        golden.assertClose(GoldenLevels.tensor(level, gate, "out"), sum, 1e-5);
    }

    /** DSelect-k's own intermediate values are inside of the router: their shapes must agree. */
    private void checkIntermediates() {
        for (int level = 0; level < levels.size(); level++) {
            for (int gate = 0; gate < levels.gates(level).size(); gate++) {
                if (golden.hasTensor(GoldenLevels.tensor(level, gate, "mix"))) {
                    JsonNode spec = levels.gates(level).get(gate);
                    int k = spec.path("num_nonzeros").asInt();
                    int n = spec.path("experts").size();
                    int bits = Integer.numberOfTrailingZeros(n);
                    assertThat(golden.floats(GoldenLevels.tensor(level, gate, "mix")))
                            .hasSize(tokens * k);
                    assertThat(golden.floats(GoldenLevels.tensor(level, gate, "selectors")))
                            .hasSize(tokens * k * bits);
                }
            }
        }
    }

    /** The last level has a gate for each task, and roles are only words. */
    private void checkTasks() {
        Set<String> tasks = new HashSet<>();
        levels.gates(levels.size() - 1).forEach(gate -> tasks.add(gate.path("role").asText()));
        assertThat(tasks).hasSize(golden.integer("num_tasks"));
    }

    /** Compares the model's outputs, [T, output size]. */
    public void checkOut(float[] out) {
        golden.assertOut(out);
    }

    /** The number of a level's gates. */
    public int gates(int level) {
        return levels.gates(level).size();
    }

    /** The most ranks of a gate's tokens. */
    public int ranks(int level, int gate) {
        JsonNode spec = levels.gates(level).get(gate);
        int n = spec.path("experts").size();
        return spec.path("num_experts_per_tok").asInt(n);
    }

    /** Fills arrays for a gate's choices. */
    public static void clear(int[] experts) {
        Arrays.fill(experts, -1);
    }
}
