// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.column.InputRows;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.ExpertModel;
import io.flinkmoe.onnx.layer.LayerOutput;
import io.flinkmoe.onnx.layer.LayerRouter;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * One MoE layer: route all tokens, admit window by window, run expert by expert, then combine in
 * order of rank.
 */
@Internal
final class ReferenceLayer {

    static final int MAX_ROWS = 256;

    private final LayerSpec spec;
    private final RoutedLayer routed;
    private final WindowDecisions decisions;
    private final ExpertModel[] experts;
    private final ReferenceSum sum;
    private final Map<Integer, DirectRows> inputs = new HashMap<>(); // by width
    private final Map<Integer, DirectRows> outputs = new HashMap<>();
    private final int k;
    private final int widest;

    ReferenceLayer(BundleSessions sessions, int layer, Capacity capacity) throws BundleException {
        this.spec = sessions.spec().layers().get(layer);
        this.routed =
                new RoutedLayer(
                        layer,
                        spec,
                        new LayerRouter(sessions, layer, MAX_ROWS, capacity),
                        capacity,
                        MAX_ROWS);
        this.k = spec.choices();
        this.decisions = new WindowDecisions(capacity, spec.numExperts(), k);
        this.experts = new ExpertModel[spec.numExperts()];
        for (int expert = 0; expert < experts.length; expert++) {
            experts[expert] = sessions.expert(layer, expert);
        }
        this.sum = new ReferenceSum(spec, capacity.weightRule(), LayerOutput.of(sessions, layer));
        this.widest = spec.experts().stream().mapToInt(ExpertSpec::outputSize).max().orElseThrow();
    }

    /**
     * Runs T tokens.
     *
     * @param x the inputs of the model in the first layer, else vectors [T, input size]
     * @param rejected [T], why a token is rejected, so that it is no part of any window; else null.
     *     Those that this layer rejects are added
     * @param absent [T], tokens for which an earlier layer had no output; those for which this one
     *     has none are added
     * @param noise the draws for this layer; null for none
     */
    LayerResult forward(
            InputRows x,
            TokenMetadata metadata,
            String[] rejected,
            boolean[] absent,
            NoiseSource noise,
            ChoiceRule rule)
            throws OrtException {
        int tokens = metadata.tokens();
        routed.route(x, metadata, rejected, absent, noise);
        LayerResult result =
                new LayerResult(
                        new float[tokens * spec.outputSize()],
                        routed.logits,
                        new int[tokens * k],
                        new float[tokens * k],
                        routed.outcomes,
                        new byte[tokens * k],
                        new int[tokens * k],
                        routed.gates);
        Arrays.fill(result.slots(), -1);
        decisions.apply(metadata, rejected, routed.ranked(), result);
        rule.apply(result);
        float[] ofChoices = new float[tokens * k * widest];
        for (int expert = 0; expert < experts.length; expert++) {
            execute(expert, result, ofChoices);
        }
        sum.write(routed, ofChoices, widest, result);
        for (int token = 0; token < tokens; token++) {
            absent[token] |= spec.needsAnExpert() && !result.isAnyExecuted(token, k);
        }
        return result;
    }

    /** Runs every choice of one expert; {@code ofChoices} is [T, k, widest]. */
    private void execute(int expert, LayerResult result, float[] ofChoices) throws OrtException {
        int[] choices = new int[result.experts().length];
        int count = 0;
        for (int choice = 0; choice < choices.length; choice++) {
            if (result.experts()[choice] == expert && result.isExecuted(choice)) {
                choices[count++] = choice;
            }
        }
        for (int from = 0; from < count; from += MAX_ROWS) {
            run(
                    expert,
                    Arrays.copyOfRange(choices, from, Math.min(count, from + MAX_ROWS)),
                    result,
                    ofChoices);
        }
    }

    private void run(int expert, int[] choices, LayerResult result, float[] ofChoices)
            throws OrtException {
        int in = spec.expertInput(expert);
        int column = spec.experts().get(expert).input() == null ? 0 : slice(expert);
        int out = spec.experts().get(expert).outputSize();
        DirectRows input = inputs.computeIfAbsent(in, width -> new DirectRows(MAX_ROWS, width));
        DirectRows output = outputs.computeIfAbsent(out, width -> new DirectRows(MAX_ROWS, width));
        float[] row = new float[in];
        for (int i = 0; i < choices.length; i++) {
            int from = choices[i] / k * spec.expertRowSize() + column;
            System.arraycopy(routed.hidden, from, row, 0, in);
            if (spec.options().weighsInput()) {
                Floats.scale(row, result.weights()[choices[i]], in);
            }
            input.put(row, 0, i, 1);
        }
        experts[expert].run(input, output, choices.length);
        float[] rows = new float[choices.length * out];
        output.get(rows, 0, choices.length);
        for (int i = 0; i < choices.length; i++) {
            if (Floats.allFinite(rows, i * out, out)) {
                System.arraycopy(rows, i * out, ofChoices, choices[i] * widest, out);
            } else {
                result.outcomes()[choices[i]] = Outcome.FAILED.code();
            }
        }
    }

    private int slice(int expert) {
        return spec.experts().get(expert).input().from();
    }
}
