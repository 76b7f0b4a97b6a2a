// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * Runs the parts of a layer that see every token: the encoder (before the first layer), the norm,
 * the gates, the shared experts, the branches and the experts' input. For T tokens x:
 *
 * <pre>
 *   u       = encoder(x) in the first layer of a model with an encoder, else x
 *   n       = norm(u) if the layer has a norm, else u
 *   choices = the experts that the gates choose for n (or u), and their weights
 *   weights = weights · expertScale(n) if the layer has an expert scale
 *   carried = (u, n or 0, depending on the layer) and the sum of shared(n) and branch(u)
 *   hidden  = expertInput(n) if the layer has that, else n
 * </pre>
 *
 * Where the capacity has a rule that replaces the weights, scaling comes after it: the weights lack
 * routed_scaling_factor and expertScale, and {@link Routed#scales} is their product. What is not
 * finite is a {@link RoutingFault}.
 *
 * <p>The next call reuses the arrays of the result, except {@code hidden} and {@code carried},
 * which are new arrays (or the input array if they equal it). Not thread-safe.
 */
@Internal
public final class LayerRouter {

    private final InputReader reader;
    private final OnnxModel norm;
    private final OnnxModel expertScale;
    private final Gate[] gates;
    private final CarriedVectors carried;
    private final DirectRows normed;
    private final OnnxModel expertInput;
    private final DirectRows expertRows;
    private final DirectRows scales;
    private final int hiddenSize;
    private final boolean scalesLater;
    private final Routed routed;

    /**
     * @param sessions leases the models; it must stay open while this object is used
     * @param maxRows the maximum number of tokens per call
     */
    public LayerRouter(BundleSessions sessions, int layer, int maxRows) throws BundleException {
        this(sessions, layer, maxRows, new Dropless());
    }

    /**
     * @param capacity says how many experts a choice may try: K is k · attempts, at most the number
     *     of experts that a token can be sent to; and whether scaling waits for its weight rule
     */
    public LayerRouter(BundleSessions sessions, int layer, int maxRows, Capacity capacity)
            throws BundleException {
        BundleSpec spec = sessions.spec();
        LayerSpec layerSpec = spec.layers().get(layer);
        this.hiddenSize = layerSpec.inputSize();
        this.reader = InputReaders.of(sessions, layer, maxRows);
        this.norm = layerSpec.norm() == null ? null : sessions.norm(layer);
        this.expertScale = layerSpec.expertScale() == null ? null : sessions.expertScale(layer);
        this.normed = norm == null ? reader.vectors() : new DirectRows(maxRows, hiddenSize);
        this.expertInput =
                layerSpec.options().expertInput() == null ? null : sessions.expertInput(layer);
        this.expertRows =
                expertInput == null ? null : new DirectRows(maxRows, layerSpec.expertRowSize());
        this.scales = expertScale == null ? null : new DirectRows(maxRows, 1);
        this.gates = new Gate[layerSpec.gates().size()];
        for (int gate = 0; gate < gates.length; gate++) {
            LayerGate place = new LayerGate(layerSpec, layer, gate);
            gates[gate] =
                    place.gate().rule() != null
                            ? new RuleGate(layerSpec, gate, maxRows, spec.inputLayout())
                            : new ModelGate(sessions, place, rowsFor(place), maxRows, capacity);
        }
        this.carried = new CarriedVectors(sessions, layer, maxRows);
        this.scalesLater = capacity.weightRule().replacesRouterWeights();
        this.routed = new Routed(layerSpec, gates, maxRows);
        routed.hasScales =
                scalesLater
                        && (expertScale != null
                                || Arrays.stream(gates).anyMatch(g -> g.laterFactor() != 1));
    }

    /** What a gate reads instead of the normed vectors; null if it reads those. */
    private DirectRows rowsFor(LayerGate place) {
        return place.gate().readsToken()
                ? reader.inputs()
                : place.gate().readsLayerInput() ? reader.vectors() : null;
    }

    /** The width of the vectors that {@link #route} takes: of packed numbers, the 4-byte words. */
    public int inputWidth() {
        return reader.inputWidth();
    }

    /** Routes T tokens without noise and without streams: a rule gives them its fallback. */
    public Routed route(byte[] vectors, int tokens) throws OrtException {
        return route(vectors, tokens, null);
    }

    /** Routes T tokens without streams. */
    public Routed route(byte[] vectors, int tokens, NoiseSource noise) throws OrtException {
        String[] streams = new String[tokens];
        return route(
                new RouterBatch(
                        vectors, RouterBatch.NO_STRINGS, streams, RouterBatch.NONE_ABSENT, noise));
    }

    /** Routes T tokens, at most {@code maxRows}. */
    public Routed route(RouterBatch batch) throws OrtException {
        int tokens = batch.tokens();
        reader.read(batch);
        if (norm != null) {
            norm.run(reader.vectors(), normed, tokens);
        }
        for (Gate gate : gates) {
            gate.route(batch, normed);
        }
        scaleWeights(tokens);
        byte[] base = reader.bytes(batch);
        byte[] hidden = norm == null ? base : bytesOf(normed, tokens);
        findFaults(batch, base);
        routed.carried =
                carried.of(
                        new CarriedVectors.Tokens(base, hidden, reader.vectors(), normed),
                        tokens,
                        token -> routed.setFault(token, RoutingFault.SHARED_OUTPUT));
        routed.hidden = expertInput == null ? hidden : expertInput(tokens);
        routed.merge(tokens);
        return routed;
    }

    private byte[] expertInput(int tokens) throws OrtException {
        expertInput.run(normed, expertRows, tokens);
        return bytesOf(expertRows, tokens);
    }

    /** The faults of all but the shared experts. */
    private void findFaults(RouterBatch batch, byte[] base) {
        int tokens = batch.tokens();
        routed.clearFaults(tokens);
        boolean encodes = reader.encodes() && !Floats.allFinite(base, 0, tokens * hiddenSize);
        for (int token = 0; token < tokens; token++) {
            if (encodes && !Floats.allFinite(base, token * hiddenSize, hiddenSize)) {
                routed.setFault(token, RoutingFault.ENCODING);
            } else if (batch.isAbsent(token)) {
                routed.setFault(token, RoutingFault.NO_INPUT);
            }
            for (Gate gate : gates) {
                RoutingFault fault = gate.fault(token);
                if (fault != RoutingFault.NONE) {
                    routed.setFault(token, fault);
                }
            }
            if (routed.hasScales
                    && !Floats.allFinite(routed.scales, token * gates.length, gates.length)) {
                routed.setFault(token, RoutingFault.WEIGHTS);
            }
        }
    }

    private void scaleWeights(int tokens) throws OrtException {
        float[] factors = new float[expertScale == null ? 0 : tokens];
        if (expertScale != null) {
            expertScale.run(normed, scales, tokens);
            scales.get(factors, 0, tokens);
        }
        for (int gate = 0; gate < gates.length; gate++) {
            if (routed.hasScales) {
                for (int token = 0; token < tokens; token++) {
                    double ofToken = expertScale == null ? 1 : factors[token];
                    routed.scales[token * gates.length + gate] =
                            (float) (gates[gate].laterFactor() * ofToken);
                }
            } else if (expertScale != null) {
                float[] weights = gates[gate].weights();
                int ranks = gates[gate].ranks();
                for (int i = 0; i < tokens * ranks; i++) {
                    weights[i] *= factors[i / ranks];
                }
            }
        }
    }

    private static byte[] bytesOf(DirectRows rows, int count) {
        byte[] bytes = new byte[count * rows.width() * Float.BYTES];
        rows.get(0, bytes, 0, count);
        return bytes;
    }
}
