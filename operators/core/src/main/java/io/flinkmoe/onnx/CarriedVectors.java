// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import ai.onnxruntime.OrtException;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * What a token carries past the experts of a layer, [T, {@link LayerSpec#carriedSize}]: the sum of
 * the residual and the shared experts; before a post_norm the residual, then the sum of the shared
 * experts. Not for several threads.
 */
@Internal
final class CarriedVectors {

    /** Receives the tokens for which the sum of the shared experts is not finite. */
    interface Faults {
        void notFinite(int token);
    }

    private final List<OnnxModel> sharedExperts;
    private final DirectRows shared;
    private final boolean hasResidual;
    private final boolean keepsApart;
    private final int width;

    CarriedVectors(BundleSessions sessions, int layer, int maxRows) throws BundleException {
        LayerSpec spec = sessions.spec().layers().get(layer);
        this.sharedExperts = sessions.sharedExperts(layer);
        this.width = spec.outputSize();
        this.shared = sharedExperts.isEmpty() ? null : new DirectRows(maxRows, width);
        this.hasResidual = spec.residual() == ResidualKind.INPUT;
        this.keepsApart = spec.postNorm() != null && hasResidual;
    }

    /**
     * Runs the shared experts on T tokens.
     *
     * @param input [T, input size], the layer's input: the residual, if there is one
     * @param hidden the input of the experts
     */
    byte[] of(byte[] input, DirectRows hidden, int tokens, Faults faults) throws OrtException {
        if (sharedExperts.isEmpty()) {
            return hasResidual ? input : new byte[0];
        }
        int size = tokens * width;
        boolean adds = hasResidual && !keepsApart;
        float[] sum = new float[size];
        if (adds) {
            Floats.get(input, 0, sum, 0, size);
        }
        float[] output = new float[size];
        for (OnnxModel expert : sharedExperts) {
            expert.run(hidden, shared, tokens);
            shared.get(output, 0, tokens);
            Floats.addScaled(sum, 1f, output, size);
        }
        for (int token = 0; token < tokens && !Floats.allFinite(sum, 0, size); token++) {
            int from = token * width;
            if (!Floats.allFinite(sum, from, width)) {
                faults.notFinite(token);
                leaveOut(adds, input, sum, from);
            }
        }
        return keepsApart ? sideBySide(input, Floats.toBytes(sum), tokens) : Floats.toBytes(sum);
    }

    /** Sets a row to the residual alone. */
    private void leaveOut(boolean adds, byte[] input, float[] sum, int from) {
        if (adds) {
            Floats.get(input, from, sum, from, width);
        } else {
            Arrays.fill(sum, from, from + width, 0);
        }
    }

    private byte[] sideBySide(byte[] residual, byte[] sums, int tokens) {
        int rowBytes = width * Float.BYTES;
        byte[] both = new byte[2 * tokens * rowBytes];
        for (int token = 0; token < tokens; token++) {
            System.arraycopy(residual, token * rowBytes, both, 2 * token * rowBytes, rowBytes);
            System.arraycopy(sums, token * rowBytes, both, (2 * token + 1) * rowBytes, rowBytes);
        }
        return both;
    }
}
