package io.flinkmoe.reference;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.LayerRouter;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A whole bundle over a matrix in one process, dropless: what the stream operators must answer, bit
 * for bit. Not for several threads.
 */
public final class ReferenceModel implements AutoCloseable {

    private static final int MAX_ROWS = 256;

    private final BundleSpec spec;
    private final BundleSessions sessions;
    private final List<Layer> layers = new ArrayList<>();
    private final OnnxModel head;

    private ReferenceModel(Bundle bundle, BundleSessions sessions) throws BundleException {
        this.spec = bundle.spec();
        this.sessions = sessions;
        for (int layer = 0; layer < spec.layers().size(); layer++) {
            layers.add(new Layer(sessions, layer));
        }
        this.head = spec.head() == null ? null : sessions.head();
    }

    /** Opens every model of a bundle. */
    public static ReferenceModel open(Bundle bundle) throws BundleException {
        BundleSessions sessions = new BundleSessions(bundle);
        try {
            return new ReferenceModel(bundle, sessions);
        } catch (BundleException e) {
            sessions.close();
            throw e;
        }
    }

    /**
     * Runs T tokens through the model, dropless and without noise.
     *
     * @param x [T, input size]
     * @param tokens T
     */
    public Result forward(float[] x, int tokens) throws OrtException {
        return forward(x, tokens, null, layer -> {});
    }

    /**
     * Runs the T tokens of one window through the model.
     *
     * @param x [T, input size]
     * @param tokens T
     * @param noise the draws for layers with noise, by the token's row; null for none
     * @param rule what becomes of the choices of each layer before its experts run
     */
    public Result forward(float[] x, int tokens, NoiseSource noise, ChoiceRule rule)
            throws OrtException {
        if (x.length != tokens * spec.inputSize()) {
            throw new IllegalArgumentException(
                    "x has %d values; %d tokens of width %d have %d"
                            .formatted(
                                    x.length, tokens, spec.inputSize(), tokens * spec.inputSize()));
        }
        float[] values = x;
        List<LayerResult> results = new ArrayList<>();
        for (Layer layer : layers) {
            LayerResult result = layer.forward(values, tokens, noise, rule);
            results.add(result);
            values = result.out;
        }
        return new Result(head == null ? values : runHead(values, tokens), results);
    }

    private float[] runHead(float[] values, int tokens) throws OrtException {
        float[] out = new float[tokens * spec.outputSize()];
        DirectRows input = new DirectRows(MAX_ROWS, spec.hiddenSize());
        DirectRows output = new DirectRows(MAX_ROWS, spec.outputSize());
        for (int from = 0; from < tokens; from += MAX_ROWS) {
            int rows = Math.min(MAX_ROWS, tokens - from);
            input.put(values, from, rows);
            head.run(input, output, rows);
            output.get(out, from, rows);
        }
        return out;
    }

    @Override
    public void close() {
        sessions.close();
    }

    /**
     * Decides over the choices of a window between routing and execution, as a capacity does: it
     * may change experts and weights, and marks what is not to run with another outcome than
     * EXECUTED or REROUTED.
     */
    @FunctionalInterface
    public interface ChoiceRule {
        void apply(LayerResult routed);
    }

    /**
     * What the model answered for T tokens.
     *
     * @param out [T, output size], the head's output, or the last layer's
     * @param layers a result per MoE layer
     */
    public record Result(float[] out, List<LayerResult> layers) {}

    /**
     * What one layer answered for T tokens.
     *
     * @param out [T, d], the residual included
     * @param logits [T, N]
     * @param experts [T, k], in order of rank; -1 where the logits are not finite
     * @param weights [T, k]
     * @param outcomes [T, k], codes of {@link Outcome}
     */
    public record LayerResult(
            float[] out, float[] logits, int[] experts, float[] weights, byte[] outcomes) {}

    /** One MoE layer: route all, then expert by expert, then combine in order of rank. */
    private static final class Layer {
        private final LayerRouter router;
        private final OnnxModel[] experts;
        private final DirectRows input;
        private final DirectRows output;
        private final int d;
        private final int k;
        private final int n;

        Layer(BundleSessions sessions, int layer) throws BundleException {
            this.router = new LayerRouter(sessions, layer, MAX_ROWS);
            this.d = sessions.spec().hiddenSize();
            this.k = router.routing().numExpertsPerTok();
            this.n = router.routing().numExperts();
            this.experts = new OnnxModel[n];
            for (int expert = 0; expert < n; expert++) {
                experts[expert] = sessions.expert(layer, expert);
            }
            this.input = new DirectRows(MAX_ROWS, d);
            this.output = new DirectRows(MAX_ROWS, d);
        }

        LayerResult forward(float[] x, int tokens, NoiseSource noise, ChoiceRule rule)
                throws OrtException {
            LayerResult result =
                    new LayerResult(
                            new float[tokens * d],
                            new float[tokens * n],
                            new int[tokens * k],
                            new float[tokens * k],
                            new byte[tokens * k]);
            float[] hidden = new float[tokens * d];
            route(x, tokens, hidden, noise, result);
            rule.apply(result);
            float[] outputs = new float[tokens * k * d];
            for (int expert = 0; expert < n; expert++) {
                execute(expert, hidden, result, outputs);
            }
            combine(tokens, outputs, result);
            return result;
        }

        private void route(
                float[] x, int tokens, float[] hidden, NoiseSource noise, LayerResult result)
                throws OrtException {
            int width = router.inputWidth();
            for (int from = 0; from < tokens; from += MAX_ROWS) {
                int rows = Math.min(MAX_ROWS, tokens - from);
                byte[] block =
                        Floats.toBytes(Arrays.copyOfRange(x, from * width, (from + rows) * width));
                LayerRouter.Routed routed =
                        router.route(block, rows, noise == null ? null : noise.from(from));
                Floats.get(routed.hidden(), 0, hidden, from * d, rows * d);
                Floats.get(routed.residual(), 0, result.out, from * d, rows * d);
                System.arraycopy(routed.logits(), 0, result.logits, from * n, rows * n);
                System.arraycopy(routed.experts(), 0, result.experts, from * k, rows * k);
                System.arraycopy(routed.weights(), 0, result.weights, from * k, rows * k);
                for (int choice = 0; choice < rows * k; choice++) {
                    Outcome outcome = Outcome.EXECUTED;
                    if (!routed.isRoutable(choice / k)) {
                        outcome = Outcome.FAILED;
                        result.experts[from * k + choice] = -1;
                        result.weights[from * k + choice] = 0;
                    } else if (routed.isSkipped(choice)) {
                        outcome = Outcome.OVERFLOWED;
                    }
                    result.outcomes[from * k + choice] = outcome.code();
                }
            }
        }

        /** Runs every choice of one expert; {@code outputs} is [T, k, d]. */
        private void execute(int expert, float[] hidden, LayerResult result, float[] outputs)
                throws OrtException {
            int[] choices = new int[MAX_ROWS];
            float[] rows = new float[MAX_ROWS * d];
            int count = 0;
            for (int choice = 0; choice < result.experts.length; choice++) {
                if (result.experts[choice] == expert && runs(result.outcomes[choice])) {
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
                int expert,
                int[] choices,
                float[] rows,
                int count,
                LayerResult result,
                float[] outputs)
                throws OrtException {
            input.put(rows, 0, count);
            experts[expert].run(input, output, count);
            output.get(rows, 0, count);
            for (int row = 0; row < count; row++) {
                if (Floats.allFinite(rows, row * d, d)) {
                    System.arraycopy(rows, row * d, outputs, choices[row] * d, d);
                } else {
                    result.outcomes[choices[row]] = Outcome.FAILED.code();
                }
            }
        }

        private static boolean runs(byte outcome) {
            return outcome == Outcome.EXECUTED.code() || outcome == Outcome.REROUTED.code();
        }

        private void combine(int tokens, float[] outputs, LayerResult result) {
            float[] sum = new float[d];
            float[] output = new float[d];
            for (int token = 0; token < tokens; token++) {
                System.arraycopy(result.out, token * d, sum, 0, d);
                for (int choice = token * k; choice < token * k + k; choice++) {
                    if (runs(result.outcomes[choice])) {
                        System.arraycopy(outputs, choice * d, output, 0, d);
                        Floats.addScaled(sum, result.weights[choice], output, d);
                    }
                }
                System.arraycopy(sum, 0, result.out, token * d, d);
            }
        }
    }
}
