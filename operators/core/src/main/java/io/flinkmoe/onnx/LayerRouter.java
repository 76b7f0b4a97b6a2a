// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import ai.onnxruntime.OrtException;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.routing.RouterNoise;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.TopKRouter;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Runs the parts of a layer that see every token: the encoder (before the first layer), the norm,
 * the router and the shared experts. For T tokens x:
 *
 * <pre>
 *   u        = encoder(x) in the first layer of a model with an encoder, else x
 *   hidden   = norm(u) if the layer has a norm, else u
 *   logits   = router(hidden), with noise if the layer has noise    [T, N]
 *   choices  = top-K of the logits and their weights               [T, K]
 *   weights  = weights · expertScale(hidden) if the layer has an expert scale
 *   residual = (u or 0, depending on the layer) + sum of sharedExpert_i(hidden)
 * </pre>
 *
 * K is k, or more if overflow is rerouted to the experts of the next ranks. The next call reuses
 * the arrays of the result, except {@code hidden} and {@code residual}, which are new arrays (or
 * the input array if they equal it). Not thread-safe.
 */
@Internal
public final class LayerRouter {

    private final RoutingConfig routing;
    private final ResidualKind residualKind;
    private final OnnxModel encoder;
    private final OnnxModel norm;
    private final OnnxModel router;
    private final OnnxModel routerNoise;
    private final OnnxModel expertScale;
    private final boolean routerSeesToken;
    private final List<OnnxModel> sharedExperts;
    private final TopKRouter topK;
    private final DirectRows input;
    private final DirectRows encoded;
    private final DirectRows normed;
    private final DirectRows jittered;
    private final DirectRows scales;
    private final DirectRows shared;
    private final DirectRows logitRows;
    private final int hiddenSize;
    private final Routed routed;

    /**
     * @param sessions leases the models; it must stay open while this object is used
     * @param maxRows the maximum number of tokens per call
     */
    public LayerRouter(BundleSessions sessions, int layer, int maxRows) throws BundleException {
        this(sessions, layer, maxRows, 1);
    }

    /**
     * @param attempts the number of experts that a choice may try: K is k · attempts, at most the
     *     number of experts that a token can be sent to
     */
    public LayerRouter(BundleSessions sessions, int layer, int maxRows, int attempts)
            throws BundleException {
        BundleSpec spec = sessions.spec();
        LayerSpec layerSpec = spec.layers().get(layer);
        boolean encodes = layer == 0 && spec.encoder() != null;
        this.routing = layerSpec.routing();
        this.residualKind = layerSpec.residual();
        this.hiddenSize = spec.hiddenSize();
        this.encoder = encodes ? sessions.encoder() : null;
        this.norm = layerSpec.norm() == null ? null : sessions.norm(layer);
        this.router = sessions.router(layer);
        this.routerSeesToken = layerSpec.routerInput() == LayerSpec.RouterInput.TOKEN;
        this.routerNoise = layerSpec.routerNoise() == null ? null : sessions.routerNoise(layer);
        this.expertScale = layerSpec.expertScale() == null ? null : sessions.expertScale(layer);
        this.sharedExperts = sessions.sharedExperts(layer);
        int ranks = Math.min(routing.numExpertsPerTok() * attempts, routing.selectable());
        this.topK = new TopKRouter(routing, ranks);
        this.input = new DirectRows(maxRows, encodes ? spec.inputSize() : hiddenSize);
        this.encoded = encodes ? new DirectRows(maxRows, hiddenSize) : input;
        this.normed = norm == null ? encoded : new DirectRows(maxRows, hiddenSize);
        this.jittered =
                has(RouterNoise.Kind.INPUT_JITTER) ? new DirectRows(maxRows, hiddenSize) : null;
        this.scales = expertScale == null ? null : new DirectRows(maxRows, 1);
        this.shared = sharedExperts.isEmpty() ? null : new DirectRows(maxRows, hiddenSize);
        this.logitRows = new DirectRows(maxRows, routing.numExperts());
        this.routed = new Routed(routing, ranks, maxRows);
    }

    /** The width of the vectors that {@link #route} takes. */
    public int inputWidth() {
        return input.width();
    }

    public RoutingConfig routing() {
        return routing;
    }

    /** Routes T tokens without noise. */
    public Routed route(byte[] vectors, int tokens) throws OrtException {
        return route(vectors, tokens, null);
    }

    /**
     * Routes T tokens, at most {@code maxRows}.
     *
     * @param vectors [T, inputWidth] float32, little endian
     * @param tokens T
     * @param noise the random numbers for the noise of the layer; null for no noise
     */
    public Routed route(byte[] vectors, int tokens, NoiseSource noise) throws OrtException {
        input.put(vectors, 0, 0, tokens);
        if (encoder != null) {
            encoder.run(input, encoded, tokens);
        }
        if (norm != null) {
            norm.run(encoded, normed, tokens);
        }
        computeLogits(tokens, routing.noise() == null ? null : noise);
        topK.route(routed.logits, tokens, routed.experts, routed.weights, noise);
        Arrays.fill(routed.skipped, false);
        if (noise != null && has(RouterNoise.Kind.RANDOM_SECOND)) {
            skipSeconds(tokens, noise);
        }
        if (expertScale != null) {
            scaleWeights(tokens);
        }
        byte[] base = encoder == null ? vectors : bytesOf(encoded, tokens);
        routed.hidden = norm == null ? base : bytesOf(normed, tokens);
        routed.residual = residual(base, tokens);
        return routed;
    }

    private void computeLogits(int tokens, NoiseSource noise) throws OrtException {
        if (noise != null && has(RouterNoise.Kind.INPUT_JITTER)) {
            jitter(tokens, noise);
            router.run(jittered, logitRows, tokens);
        } else {
            router.run(routerSeesToken ? input : normed, logitRows, tokens);
        }
        logitRows.get(routed.logits, 0, tokens);
        if (noise != null && has(RouterNoise.Kind.NORMAL)) {
            addNormalNoise(tokens, noise);
        }
    }

    private boolean has(RouterNoise.Kind kind) {
        return routing.noise() != null && routing.noise().kind() == kind;
    }

    /** Multiplies the input of the router by random factors from 1-ε to 1+ε. */
    private void jitter(int tokens, NoiseSource noise) {
        float[] values = new float[tokens * hiddenSize];
        normed.get(values, 0, tokens);
        float epsilon = routing.noise().amount();
        for (int i = 0; i < values.length; i++) {
            float u = noise.uniform(i / hiddenSize, i % hiddenSize);
            values[i] *= 1 - epsilon + 2 * epsilon * u;
        }
        jittered.put(values, 0, tokens);
    }

    private void addNormalNoise(int tokens, NoiseSource noise) throws OrtException {
        routerNoise.run(normed, logitRows, tokens);
        int n = routing.numExperts();
        float[] deviations = new float[tokens * n];
        logitRows.get(deviations, 0, tokens);
        for (int i = 0; i < deviations.length; i++) {
            routed.logits[i] += noise.normal(i / n, i % n) * deviations[i];
        }
    }

    /** Keeps a second choice if {@code u < weight/threshold}; else it is not sent to an expert. */
    private void skipSeconds(int tokens, NoiseSource noise) {
        float threshold = routing.noise().amount();
        for (int token = 0; token < tokens; token++) {
            int second = token * routed.ranks + 1;
            boolean kept = noise.uniform(token) < routed.weights[second] / threshold;
            routed.skipped[2 * token + 1] = !kept;
            if (!kept) {
                routed.weights[second] = 0;
            }
        }
    }

    private void scaleWeights(int tokens) throws OrtException {
        expertScale.run(normed, scales, tokens);
        float[] factors = new float[tokens];
        scales.get(factors, 0, tokens);
        for (int i = 0; i < tokens * routed.ranks; i++) {
            routed.weights[i] *= factors[i / routed.ranks];
        }
    }

    private byte[] residual(byte[] base, int tokens) throws OrtException {
        if (sharedExperts.isEmpty()) {
            return residualKind == ResidualKind.INPUT ? base : new byte[base.length];
        }
        int size = tokens * hiddenSize;
        float[] sum = new float[size];
        if (residualKind == ResidualKind.INPUT) {
            Floats.get(base, 0, sum, 0, size);
        }
        float[] output = new float[size];
        for (OnnxModel expert : sharedExperts) {
            expert.run(normed, shared, tokens);
            shared.get(output, 0, tokens);
            Floats.addScaled(sum, 1f, output, size);
        }
        return Floats.toBytes(sum);
    }

    private static byte[] bytesOf(DirectRows rows, int count) {
        byte[] bytes = new byte[count * rows.width() * Float.BYTES];
        rows.get(0, bytes, 0, count);
        return bytes;
    }
}
