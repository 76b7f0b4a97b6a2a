// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * What a token carries past the experts of a layer, [T, {@link LayerSpec#carriedSize}]: the sum of
 * the residual and of what shared experts and branches answer, each times its scale; before a
 * routed_output or a post_norm the residual, then the sum of the others, both without scales. Not
 * for several threads.
 */
@Internal
final class CarriedVectors {

    /** Receives the tokens for which the sum of the shared experts is not finite. */
    interface Faults {
        void notFinite(int token);
    }

    /**
     * T tokens.
     *
     * @param input [T, input size], the layer's input
     * @param hidden [T, input size], the same after the norm
     * @param inputRows the layer's input
     * @param hiddenRows the same after the norm
     */
    record Tokens(byte[] input, byte[] hidden, DirectRows inputRows, DirectRows hiddenRows) {}

    private final List<OnnxModel> sharedExperts;
    private final List<OnnxModel> branches;
    private final DirectRows shared;
    private final ResidualKind residual;
    private final boolean hasShared;
    private final boolean keepsApart;
    private final float residualScale;
    private final float outputScale;
    private final int width;

    CarriedVectors(BundleSessions sessions, int layer, int maxRows) throws BundleException {
        LayerSpec spec = sessions.spec().layers().get(layer);
        this.sharedExperts = sessions.sharedExperts(layer);
        this.branches = sessions.branches(layer);
        this.width = spec.outputSize();
        this.hasShared = spec.hasShared();
        this.shared = hasShared ? new DirectRows(maxRows, width) : null;
        this.residual = spec.residual();
        this.keepsApart = spec.hasStepsAfterTheSum();
        this.residualScale = keepsApart ? 1 : spec.options().residualFactor();
        this.outputScale = keepsApart ? 1 : spec.options().outputFactor();
    }

    /** Runs the shared experts and the branches on T tokens. */
    byte[] of(Tokens batch, int tokens, Faults faults) throws OrtException {
        byte[] base =
                switch (residual) {
                    case NONE -> null;
                    case INPUT -> batch.input;
                    case HIDDEN -> finite(batch, tokens, faults);
                };
        if (!hasShared) {
            return base == null ? new byte[0] : residualScale == 1 ? base : scaled(base, tokens);
        }
        int size = tokens * width;
        float[] sum = new float[size];
        if (base != null && !keepsApart) {
            startWithResidual(base, 0, sum, size);
        }
        add(sharedExperts, batch.hiddenRows, sum, tokens);
        add(branches, batch.inputRows, sum, tokens);
        for (int token = 0; token < tokens && !Floats.allFinite(sum, 0, size); token++) {
            int from = token * width;
            if (!Floats.allFinite(sum, from, width)) {
                faults.notFinite(token);
                Arrays.fill(sum, from, from + width, 0);
                if (base != null && !keepsApart) {
                    startWithResidual(base, from, sum, width);
                }
            }
        }
        return keepsApart && base != null
                ? sideBySide(base, Floats.toBytes(sum), tokens)
                : Floats.toBytes(sum);
    }

    private void add(List<OnnxModel> models, DirectRows rows, float[] sum, int tokens)
            throws OrtException {
        float[] output = new float[models.isEmpty() ? 0 : sum.length];
        for (OnnxModel model : models) {
            model.run(rows, shared, tokens);
            shared.get(output, 0, tokens);
            Floats.addScaled(sum, outputScale, output, sum.length);
        }
    }

    /** The hidden vectors, or the input of the layer where they are not finite. */
    private byte[] finite(Tokens batch, int tokens, Faults faults) {
        if (Floats.allFinite(batch.hidden, 0, tokens * width)) {
            return batch.hidden;
        }
        byte[] finite = batch.hidden.clone();
        for (int token = 0; token < tokens; token++) {
            if (!Floats.allFinite(finite, token * width, width)) {
                faults.notFinite(token);
                Floats.copyRow(batch.input, token, finite, token, width);
            }
        }
        return finite;
    }

    private byte[] scaled(byte[] base, int tokens) {
        float[] values = new float[tokens * width];
        startWithResidual(base, 0, values, values.length);
        return Floats.toBytes(values);
    }

    private void startWithResidual(byte[] base, int from, float[] sum, int count) {
        Floats.get(base, from, sum, from, count);
        for (int i = from; i < from + count && residualScale != 1; i++) {
            sum[i] *= residualScale;
        }
    }

    private byte[] sideBySide(byte[] base, byte[] sums, int tokens) {
        int rowBytes = width * Float.BYTES;
        byte[] both = new byte[2 * tokens * rowBytes];
        for (int token = 0; token < tokens; token++) {
            System.arraycopy(base, token * rowBytes, both, 2 * token * rowBytes, rowBytes);
            System.arraycopy(sums, token * rowBytes, both, (2 * token + 1) * rowBytes, rowBytes);
        }
        return both;
    }
}
