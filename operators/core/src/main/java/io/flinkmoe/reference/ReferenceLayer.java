// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.LayerRouter;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.onnx.Routed;
import io.flinkmoe.onnx.RoutingFault;
import io.flinkmoe.reference.WindowDecisions.Ranked;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * One MoE layer: route all tokens, admit window by window, run expert by expert, then combine in
 * order of rank.
 */
@Internal
final class ReferenceLayer {

    static final int MAX_ROWS = 256;

    private final Capacity capacity;
    private final LayerRouter router;
    private final WindowDecisions decisions;
    private final OnnxModel[] experts;
    private final DirectRows input;
    private final DirectRows output;
    private final int d;
    private final int k;
    private final int n;

    ReferenceLayer(BundleSessions sessions, int layer, Capacity capacity) throws BundleException {
        this.capacity = capacity;
        this.router = new LayerRouter(sessions, layer, MAX_ROWS, capacity);
        this.d = sessions.spec().hiddenSize();
        this.k = router.routing().numExpertsPerTok();
        this.n = router.routing().numExperts();
        this.decisions = new WindowDecisions(capacity, n, k);
        this.experts = new OnnxModel[n];
        for (int expert = 0; expert < n; expert++) {
            experts[expert] = sessions.expert(layer, expert);
        }
        this.input = new DirectRows(MAX_ROWS, d);
        this.output = new DirectRows(MAX_ROWS, d);
    }

    /**
     * Runs T tokens.
     *
     * @param x [T, d], or [T, input size] in a first layer that encodes
     * @param rejected [T], tokens that are no part of any window; those whose encoding is not
     *     finite are added
     * @param noise the draws for this layer; null for none
     */
    LayerResult forward(
            float[] x,
            TokenMetadata metadata,
            boolean[] rejected,
            NoiseSource noise,
            ChoiceRule rule)
            throws OrtException {
        int tokens = metadata.tokens();
        LayerResult result = new LayerResult(tokens, d, n, k);
        float[] hidden = new float[tokens * d];
        Ranked ranked = route(x, hidden, rejected, noise, result);
        decisions.apply(metadata, rejected, ranked, result);
        rule.apply(result);
        float[] outputs = new float[tokens * k * d];
        for (int expert = 0; expert < n; expert++) {
            execute(expert, hidden, result, outputs);
        }
        combine(outputs, ranked.scales(), result);
        return result;
    }

    private Ranked route(
            float[] x, float[] hidden, boolean[] rejected, NoiseSource noise, LayerResult result)
            throws OrtException {
        int width = router.inputWidth();
        int tokens = result.experts().length / k;
        Ranked ranked = new Ranked(0, k, false);
        for (int from = 0; from < tokens; from += MAX_ROWS) {
            int rows = Math.min(MAX_ROWS, tokens - from);
            byte[] block =
                    Floats.toBytes(Arrays.copyOfRange(x, from * width, (from + rows) * width));
            NoiseSource draws = noise == null ? null : noise.from(from);
            Routed routed = router.route(block, rows, draws);
            int ranks = routed.ranks();
            float[] scales = routed.scales(rows);
            ranked = from == 0 ? new Ranked(tokens, ranks, scales.length > 0) : ranked;
            if (scales.length > 0) {
                System.arraycopy(scales, 0, ranked.scales(), from, rows);
            }
            Floats.get(routed.hidden(), 0, hidden, from * d, rows * d);
            Floats.get(routed.residual(), 0, result.out(), from * d, rows * d);
            System.arraycopy(routed.logits(), 0, result.logits(), from * n, rows * n);
            System.arraycopy(routed.experts(), 0, ranked.experts(), from * ranks, rows * ranks);
            System.arraycopy(routed.weights(), 0, ranked.weights(), from * ranks, rows * ranks);
            float[] scores = routed.admissionScores(capacity.score(), rows, draws);
            System.arraycopy(scores, 0, ranked.scores(), from * ranks, scores.length);
            for (int row = 0; row < rows; row++) {
                rejected[from + row] |= routed.fault(row) == RoutingFault.ENCODING;
            }
            settle(routed, rows, from, rejected, ranked, result);
        }
        return ranked;
    }

    /** Settles the choices of a block that no expert is to see. */
    private void settle(
            Routed routed,
            int rows,
            int from,
            boolean[] rejected,
            Ranked ranked,
            LayerResult result) {
        int ranks = ranked.ranks();
        for (int row = 0; row < rows; row++) {
            boolean routable = routed.isRoutable(row) && !rejected[from + row];
            if (!routable) {
                int first = (from + row) * ranks;
                Arrays.fill(ranked.experts(), first, first + ranks, -1);
                Arrays.fill(ranked.weights(), first, first + ranks, 0);
            }
            for (int choice = row * k; choice < row * k + k; choice++) {
                result.outcomes()[from * k + choice] =
                        rejected[from + row]
                                ? Outcome.FAILED.code()
                                : routed.outcome(choice, k, Outcome.EXECUTED.code());
            }
        }
    }

    /** Runs every choice of one expert; {@code outputs} is [T, k, d]. */
    private void execute(int expert, float[] hidden, LayerResult result, float[] outputs)
            throws OrtException {
        int[] choices = new int[MAX_ROWS];
        float[] rows = new float[MAX_ROWS * d];
        int count = 0;
        for (int choice = 0; choice < result.experts().length; choice++) {
            if (result.experts()[choice] == expert && result.isExecuted(choice)) {
                System.arraycopy(hidden, choice / k * d, rows, count * d, d);
                choices[count++] = choice;
                if (count == MAX_ROWS) {
                    run(expert, choices, rows, count, result, outputs);
                    count = 0;
                }
            }
        }
        if (count > 0) {
            run(expert, choices, rows, count, result, outputs);
        }
    }

    private void run(
            int expert, int[] choices, float[] rows, int count, LayerResult result, float[] outputs)
            throws OrtException {
        input.put(rows, 0, count);
        experts[expert].run(input, output, count);
        output.get(rows, 0, count);
        for (int row = 0; row < count; row++) {
            if (Floats.allFinite(rows, row * d, d)) {
                System.arraycopy(rows, row * d, outputs, choices[row] * d, d);
            } else {
                result.outcomes()[choices[row]] = Outcome.FAILED.code();
            }
        }
    }

    private void combine(float[] outputs, float[] scales, LayerResult result) {
        boolean[] executed = new boolean[result.outcomes().length];
        for (int choice = 0; choice < executed.length; choice++) {
            executed[choice] = result.isExecuted(choice);
        }
        capacity.weightRule().apply(result.weights(), executed, k, scales);
        float[] sum = new float[d];
        float[] addend = new float[d];
        for (int token = 0; token < executed.length / k; token++) {
            System.arraycopy(result.out(), token * d, sum, 0, d);
            for (int choice = token * k; choice < token * k + k; choice++) {
                if (executed[choice]) {
                    System.arraycopy(outputs, choice * d, addend, 0, d);
                    Floats.addScaled(sum, result.weights()[choice], addend, d);
                }
            }
            if (Floats.allFinite(sum, 0, d)) {
                System.arraycopy(sum, 0, result.out(), token * d, d);
            } else {
                fail(token, executed, result);
            }
        }
    }

    /** The executed choices of a token fail, and its residual stays as it is. */
    private void fail(int token, boolean[] executed, LayerResult result) {
        for (int choice = token * k; choice < token * k + k; choice++) {
            if (executed[choice]) {
                result.outcomes()[choice] = Outcome.FAILED.code();
                if (capacity.weightRule().replacesRouterWeights()) {
                    result.weights()[choice] = 0;
                }
            }
        }
    }
}
