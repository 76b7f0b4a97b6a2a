// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.Slice;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.routing.LogitSoftcap;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.routing.RouterNoise;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.TopKRouter;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * A gate with a router:
 *
 * <pre>
 *   logits  = router(input), with noise if the gate has noise    [T, n]
 *   choices = top-K of the logits and their weights              [T, K]
 * </pre>
 *
 * Where the capacity has a rule that replaces the weights, scaling comes after it: the weights lack
 * routed_scaling_factor, which is {@link #laterFactor}. Not for several threads.
 */
@Internal
final class ModelGate implements Gate {

    private final RoutingConfig routing;
    private final OnnxModel router;
    private final OnnxModel routerNoise;
    private final DirectRows instead; // what a router reads instead of the normed vectors, or null
    private final boolean readsToken;
    private final Slice slice;
    private final DirectRows sliced;
    private final DirectRows jittered;
    private final DirectRows logitRows;
    private final TopKRouter topK;
    private final double laterFactor;
    private final int[] expertOfColumn;
    private final int ranks;
    final float[] logits;
    final int[] columns;
    private final int[] experts;
    private final float[] weights;
    final boolean[] skipped;

    /**
     * @param instead what the router reads instead of the normed vectors; null for those
     */
    ModelGate(
            BundleSessions sessions,
            LayerGate place,
            DirectRows instead,
            int maxRows,
            Capacity capacity)
            throws BundleException {
        LayerSpec layer = place.spec();
        GateSpec gate = place.gate();
        this.routing = gate.routing();
        this.instead = instead;
        this.readsToken = gate.readsToken();
        this.router = sessions.router(place.layer(), place.number());
        this.routerNoise =
                gate.routerNoise() == null
                        ? null
                        : sessions.routerNoise(place.layer(), place.number());
        this.slice = gate.input();
        int width = layer.gateInput(place.number());
        this.sliced = slice == null ? null : new DirectRows(maxRows, width);
        this.jittered = has(RouterNoise.Kind.INPUT_JITTER) ? new DirectRows(maxRows, width) : null;
        this.ranks =
                layer.hasOneGate()
                        ? Math.min(routing.k() * capacity.attempts(), routing.selectable())
                        : routing.k();
        boolean scalesLater = capacity.weightRule().replacesRouterWeights();
        Float factor = routing.routedScalingFactor();
        this.laterFactor = scalesLater && factor != null ? factor : 1;
        this.topK = new TopKRouter(scalesLater ? routing.scaledBy(1) : routing, ranks);
        this.expertOfColumn = layer.expertsOf(place.number());
        int n = routing.numExperts();
        this.logitRows = new DirectRows(maxRows, n);
        this.logits = new float[maxRows * n];
        this.columns = new int[maxRows * ranks];
        this.experts = gate.experts() == null ? columns : new int[maxRows * ranks];
        this.weights = new float[maxRows * ranks];
        this.skipped = new boolean[maxRows * routing.k()];
    }

    @Override
    public int k() {
        return routing.k();
    }

    @Override
    public int ranks() {
        return ranks;
    }

    @Override
    public void route(RouterBatch batch, DirectRows input) throws OrtException {
        int tokens = batch.tokens();
        NoiseSource noise = batch.noise();
        computeLogits(tokens, input, routing.noise() == null ? null : noise);
        topK.route(logits, tokens, columns, weights, noise);
        if (experts != columns) {
            for (int i = 0; i < tokens * ranks; i++) {
                experts[i] = columns[i] < 0 ? -1 : expertOfColumn[columns[i]];
            }
        }
        Arrays.fill(skipped, false);
        if (noise != null && has(RouterNoise.Kind.RANDOM_SECOND)) {
            skipSeconds(tokens, noise);
        }
    }

    private void computeLogits(int tokens, DirectRows hidden, NoiseSource noise)
            throws OrtException {
        DirectRows whole = instead != null ? instead : hidden;
        DirectRows input = slice != null ? slice(whole, tokens) : whole;
        if (noise != null && has(RouterNoise.Kind.INPUT_JITTER)) {
            jitter(input, tokens, noise);
            router.run(jittered, logitRows, tokens);
        } else {
            router.run(input, logitRows, tokens);
        }
        logitRows.get(logits, 0, tokens);
        LogitSoftcap.apply(routing.logitSoftcap(), logits, tokens * routing.numExperts());
        if (noise != null && has(RouterNoise.Kind.NORMAL)) {
            addNormalNoise(readsToken ? hidden : input, tokens, noise);
        }
    }

    private DirectRows slice(DirectRows hidden, int tokens) {
        hidden.copyColumns(slice.from(), sliced, tokens);
        return sliced;
    }

    private boolean has(RouterNoise.Kind kind) {
        return routing.noise() != null && routing.noise().kind() == kind;
    }

    /** Multiplies the input of the router by random factors from 1-ε to 1+ε. */
    private void jitter(DirectRows input, int tokens, NoiseSource noise) {
        int width = input.width();
        float[] values = new float[tokens * width];
        input.get(values, 0, tokens);
        float epsilon = routing.noise().amount();
        for (int i = 0; i < values.length; i++) {
            float u = noise.uniform(i / width, i % width);
            values[i] *= 1 - epsilon + 2 * epsilon * u;
        }
        jittered.put(values, 0, tokens);
    }

    private void addNormalNoise(DirectRows input, int tokens, NoiseSource noise)
            throws OrtException {
        routerNoise.run(input, logitRows, tokens);
        int n = routing.numExperts();
        float[] deviations = new float[tokens * n];
        logitRows.get(deviations, 0, tokens);
        for (int i = 0; i < deviations.length; i++) {
            logits[i] += noise.normal(i / n, i % n) * deviations[i];
        }
    }

    /** Keeps a second choice if {@code u < weight/threshold}; else it is not sent to an expert. */
    private void skipSeconds(int tokens, NoiseSource noise) {
        float threshold = routing.noise().amount();
        for (int row = 0; row < tokens; row++) {
            int second = row * ranks + 1;
            boolean kept = noise.uniform(row) < weights[second] / threshold;
            skipped[2 * row + 1] = !kept;
            if (!kept) {
                weights[second] = 0;
            }
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
        int n = routing.numExperts();
        float[] all = Scores.of(routing.scoringFunc(), Arrays.copyOf(logits, tokens * n), n);
        return ofChosen(all, tokens);
    }

    /** The logits of the chosen experts [T, K]; 0 for none. */
    float[] chosenLogits(int tokens) {
        return ofChosen(logits, tokens);
    }

    private float[] ofChosen(float[] all, int tokens) {
        float[] chosen = new float[tokens * ranks];
        for (int i = 0; i < chosen.length; i++) {
            chosen[i] = columns[i] < 0 ? 0 : all[i / ranks * routing.numExperts() + columns[i]];
        }
        return chosen;
    }

    @Override
    public RoutingFault fault(int row) {
        if (topK.isInvalid(logits, row, columns)) {
            return RoutingFault.LOGITS;
        }
        return Floats.allFinite(weights, row * ranks, ranks)
                ? RoutingFault.NONE
                : RoutingFault.WEIGHTS;
    }

    @Override
    public double laterFactor() {
        return laterFactor;
    }

    RoutingConfig routing() {
        return routing;
    }
}
