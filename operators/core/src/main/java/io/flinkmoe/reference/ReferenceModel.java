// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.column.InputRows;
import io.flinkmoe.column.OutputRows;
import io.flinkmoe.config.Draws;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.Device;
import io.flinkmoe.onnx.layer.RouterBatch;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.tensor.Floats;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
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
    private final ReferenceHead head;

    private ReferenceModel(Bundle bundle, BundleSessions sessions, Capacity capacity)
            throws BundleException {
        this.spec = bundle.spec();
        this.sessions = sessions;
        for (int layer = 0; layer < spec.layers().size(); layer++) {
            layers.add(new ReferenceLayer(sessions, layer, capacity));
        }
        this.head = ReferenceHead.of(sessions);
    }

    /** Opens every model of a bundle, dropless. */
    public static ReferenceModel open(Bundle bundle) throws BundleException {
        return open(bundle, new Dropless());
    }

    /** Opens every model of a bundle; each layer has this capacity. */
    public static ReferenceModel open(Bundle bundle, Capacity capacity) throws BundleException {
        return open(bundle, capacity, Set.of());
    }

    /**
     * The same.
     *
     * @param rowByRow the files of models that are called with one row at a time
     */
    public static ReferenceModel open(Bundle bundle, Capacity capacity, Set<String> rowByRow)
            throws BundleException {
        BundleSessions sessions = new BundleSessions(bundle, Device.CPU, rowByRow, () -> {});
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
        return forward(vectors(x, tokens), tokens, Draws.SEEDED);
    }

    /** The same with draws of the caller's own. */
    public Result forward(float[] x, TokenMetadata tokens, Draws noise) throws OrtException {
        return forward(vectors(x, tokens), tokens, noise, layer -> {});
    }

    /** The same with typed columns. */
    public Result forward(InputRows x, TokenMetadata tokens, Draws noise) throws OrtException {
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
        TokenMetadata metadata = TokenMetadata.ofRows(tokens);
        return forward(vectors(x, metadata), metadata, (streams, positions, layer) -> noise, rule);
    }

    private InputRows vectors(float[] x, TokenMetadata metadata) {
        int expected = metadata.tokens() * spec.inputSize();
        if (x.length != expected || spec.inputLayout().strings() > 0) {
            throw new IllegalArgumentException(
                    "x has %d values; %d tokens with the inputs %s have %d"
                            .formatted(
                                    x.length,
                                    metadata.tokens(),
                                    spec.inputLayout().columns().describe(),
                                    expected));
        }
        return vectors(x);
    }

    private static InputRows vectors(float[] x) {
        return new InputRows(Floats.toBytes(x), RouterBatch.NO_STRINGS);
    }

    private Result forward(InputRows x, TokenMetadata metadata, Draws noise, ChoiceRule rule)
            throws OrtException {
        int tokens = metadata.tokens();
        InputRows input = x;
        String[] rejected = new String[tokens];
        boolean[] absent = new boolean[tokens];
        List<LayerResult> results = new ArrayList<>();
        for (ReferenceLayer layer : layers) {
            NoiseSource draws = noise.of(metadata.streams(), metadata.positions(), results.size());
            LayerResult result = layer.forward(input, metadata, rejected, absent, draws, rule);
            results.add(result);
            boolean keeps = spec.readsColumnsAfter(results.size() - 1);
            input =
                    new InputRows(
                            Floats.toBytes(result.out()),
                            keeps ? input.strings() : RouterBatch.NO_STRINGS);
        }
        float[] last = results.get(results.size() - 1).out();
        OutputRows outputs = head.run(last, metadata, rejected, absent);
        return new Result(outputs.floats(), outputs, rejected, absent, results);
    }

    @Override
    public void close() {
        sessions.close();
    }

    /**
     * What the model answered for T tokens.
     *
     * @param out [T, output size], the head's outputs of type float, or the last layer's; NaN for
     *     rejected and for absent tokens
     * @param outputs all outputs by name
     * @param rejected [T], why a stream would reject the token: the output of the encoder or the
     *     head is not finite, or no rule of a gate matches; the latter and one that the encoder
     *     rejects take no capacity. Null for the others
     * @param absent [T], whether the token has no output: no expert executed a choice of it in a
     *     layer without a residual
     * @param layers a result per MoE layer; FAILED for tokens that the encoder rejects
     */
    public record Result(
            float[] out,
            OutputRows outputs,
            String[] rejected,
            boolean[] absent,
            List<LayerResult> layers) {}
}
