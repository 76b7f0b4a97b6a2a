// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.config.Draws;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Experimental;

/**
 * A whole bundle over a matrix in one process, with or without a capacity: the stream operators
 * must give the same bits. Not for several threads.
 */
@Experimental
public final class ReferenceModel implements AutoCloseable {

    private final BundleSpec spec;
    private final BundleSessions sessions;
    private final List<ReferenceLayer> layers = new ArrayList<>();
    private final OnnxModel head;

    private ReferenceModel(Bundle bundle, BundleSessions sessions, Capacity capacity)
            throws BundleException {
        this.spec = bundle.spec();
        this.sessions = sessions;
        for (int layer = 0; layer < spec.layers().size(); layer++) {
            layers.add(new ReferenceLayer(sessions, layer, capacity));
        }
        this.head = spec.head() == null ? null : sessions.head();
    }

    /** Opens every model of a bundle, dropless. */
    public static ReferenceModel open(Bundle bundle) throws BundleException {
        return open(bundle, new Dropless());
    }

    /** Opens every model of a bundle; each layer has this capacity. */
    public static ReferenceModel open(Bundle bundle, Capacity capacity) throws BundleException {
        BundleSessions sessions = new BundleSessions(bundle);
        try {
            return new ReferenceModel(bundle, sessions, capacity);
        } catch (BundleException e) {
            sessions.close();
            throw e;
        }
    }

    /**
     * Runs T tokens of one stream and one window through the model, without noise.
     *
     * @param x [T, input size]
     * @param tokens T
     */
    public Result forward(float[] x, int tokens) throws OrtException {
        return forward(x, TokenMetadata.ofRows(tokens), Draws.NONE);
    }

    /**
     * Runs T tokens through the model, with the draws of the operators. None is late, whatever its
     * timestamp.
     *
     * @param x [T, input size], in order of arrival, which first-come admission depends on
     * @param tokens T of them
     */
    public Result forward(float[] x, TokenMetadata tokens) throws OrtException {
        return forward(x, tokens, Draws.SEEDED);
    }

    /** The same with draws of the caller's own. */
    public Result forward(float[] x, TokenMetadata tokens, Draws noise) throws OrtException {
        return forward(x, tokens, noise, layer -> {});
    }

    /**
     * Runs T tokens of one stream and one window through the model, with a rule of the caller's
     * own.
     *
     * @param x [T, input size]
     * @param tokens T
     * @param noise the draws for all layers, by the token's row; null for none
     * @param rule decides on the choices of each layer before its experts execute them
     */
    public Result forward(float[] x, int tokens, NoiseSource noise, ChoiceRule rule)
            throws OrtException {
        return forward(x, TokenMetadata.ofRows(tokens), (streams, positions, layer) -> noise, rule);
    }

    private Result forward(float[] x, TokenMetadata metadata, Draws noise, ChoiceRule rule)
            throws OrtException {
        int tokens = metadata.tokens();
        if (x.length != tokens * spec.inputSize()) {
            throw new IllegalArgumentException(
                    "x has %d values; %d tokens of width %d have %d"
                            .formatted(
                                    x.length, tokens, spec.inputSize(), tokens * spec.inputSize()));
        }
        float[] values = x;
        boolean[] rejected = new boolean[tokens];
        boolean[] absent = new boolean[tokens];
        List<LayerResult> results = new ArrayList<>();
        for (ReferenceLayer layer : layers) {
            NoiseSource draws = noise.of(metadata.streams(), metadata.positions(), results.size());
            LayerResult result = layer.forward(values, metadata, rejected, absent, draws, rule);
            results.add(result);
            values = result.out();
        }
        float[] out = head == null ? values.clone() : runHead(values, tokens);
        clear(out, rejected, absent);
        return new Result(out, rejected, absent, results);
    }

    /**
     * Adds the tokens for which the head's output is not finite, and clears what is rejected or has
     * no output.
     */
    private void clear(float[] out, boolean[] rejected, boolean[] absent) {
        int width = spec.outputSize();
        for (int row = 0; row < rejected.length; row++) {
            if (head != null && !absent[row] && !Floats.allFinite(out, row * width, width)) {
                rejected[row] = true;
            }
            absent[row] &= !rejected[row];
            if (rejected[row] || absent[row]) {
                Arrays.fill(out, row * width, row * width + width, Float.NaN);
            }
        }
    }

    private float[] runHead(float[] values, int tokens) throws OrtException {
        float[] out = new float[tokens * spec.outputSize()];
        DirectRows input = new DirectRows(ReferenceLayer.MAX_ROWS, spec.lastSize());
        DirectRows output = new DirectRows(ReferenceLayer.MAX_ROWS, spec.outputSize());
        for (int from = 0; from < tokens; from += ReferenceLayer.MAX_ROWS) {
            int rows = Math.min(ReferenceLayer.MAX_ROWS, tokens - from);
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
     * What the model answered for T tokens.
     *
     * @param out [T, output size], the head's output, or the last layer's; NaN for rejected and for
     *     absent tokens
     * @param rejected [T], whether a stream would reject the token: the output of the encoder or
     *     the head is not finite, or no rule of a gate matches; the latter and one that the encoder
     *     rejects take no capacity
     * @param absent [T], whether the token has no output: no expert executed a choice of it in a
     *     layer without a residual
     * @param layers a result per MoE layer; FAILED for tokens that the encoder rejects
     */
    public record Result(
            float[] out, boolean[] rejected, boolean[] absent, List<LayerResult> layers) {}
}
