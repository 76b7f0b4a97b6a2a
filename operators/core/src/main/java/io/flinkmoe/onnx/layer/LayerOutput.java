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
import org.apache.flink.annotation.Internal;

/**
 * What a layer makes of the weighted sum r of a token's experts, given what the token carries past
 * them:
 *
 * <pre>
 *   m = routed_output(r) + shared
 *   y = residual_scale · residual + output_scale · post_norm(m)
 * </pre>
 *
 * A layer without routed_output and post_norm is direct: what the token carries is {@code
 * residual_scale · residual + output_scale · shared} already, and y is that plus {@link
 * #weightFactor} times each weighted output. Not for several threads.
 */
@Internal
public final class LayerOutput {

    private static final int MAX_ROWS = 256;

    private final OnnxModel routedOutput; // null for none
    private final OnnxModel postNorm; // null for none
    private final boolean hasResidual;
    private final boolean hasShared;
    private final float residualScale;
    private final float outputScale;
    private final int width;
    private final int carriedSize;
    private final int sumWidth;
    private final DirectRows sumRows;
    private final DirectRows rows;
    private final DirectRows normed;
    private final int[] places = new int[MAX_ROWS];
    private final float[] residual;
    private final float[] m;

    private LayerOutput(LayerSpec spec, OnnxModel routedOutput, OnnxModel postNorm) {
        this.routedOutput = routedOutput;
        this.postNorm = postNorm;
        this.hasResidual = spec.residual() != ResidualKind.NONE;
        this.hasShared = spec.hasShared();
        this.residualScale = spec.options().residualFactor();
        this.outputScale = spec.options().outputFactor();
        this.width = spec.outputSize();
        this.carriedSize = spec.carriedSize();
        this.sumWidth = spec.routedSize();
        this.sumRows = routedOutput == null ? null : new DirectRows(MAX_ROWS, sumWidth);
        boolean runs = routedOutput != null || postNorm != null;
        this.rows = runs ? new DirectRows(MAX_ROWS, width) : null;
        this.normed = postNorm == null ? null : new DirectRows(MAX_ROWS, width);
        this.residual = new float[width];
        this.m = new float[width];
    }

    /** Opens the models of a layer that follow its sum. */
    public static LayerOutput of(BundleSessions sessions, int layer) throws BundleException {
        LayerSpec spec = sessions.spec().layers().get(layer);
        return new LayerOutput(
                spec,
                spec.options().routedOutput() == null ? null : sessions.routedOutput(layer),
                spec.postNorm() == null ? null : sessions.postNorm(layer));
    }

    /** The output of a layer that runs nothing after its sum. */
    public static LayerOutput direct(LayerSpec spec) {
        if (spec.hasStepsAfterTheSum()) {
            throw new IllegalArgumentException("the layer has a post_norm or a routed_output");
        }
        return new LayerOutput(spec, null, null);
    }

    /** Whether y is what a token carries plus the weighted outputs. */
    public boolean isDirect() {
        return routedOutput == null && postNorm == null;
    }

    /** What multiplies each weight before the output of its expert is added. */
    public float weightFactor() {
        return isDirect() ? outputScale : 1;
    }

    /** The width of the weighted sum. */
    public int sumWidth() {
        return sumWidth;
    }

    /**
     * Writes what a token's sum starts with.
     *
     * @param carried [carried size], of the token
     * @param sum [sum width]
     */
    public void startSum(float[] carried, float[] sum) {
        if (isDirect() && carriedSize > 0) {
            System.arraycopy(carried, 0, sum, 0, width);
        } else if (!isDirect() && routedOutput == null && hasShared) {
            System.arraycopy(carried, carriedSize - width, sum, 0, width);
        } else {
            Arrays.fill(sum, 0, sumWidth, 0);
        }
    }

    /**
     * Writes the output of a token none of whose choices counts.
     *
     * @param carried [carried size], of the token
     * @param y [width]
     */
    public void startOutput(float[] carried, float[] y) {
        if (isDirect() && carriedSize > 0) {
            System.arraycopy(carried, 0, y, 0, width);
        } else if (!isDirect() && hasResidual) {
            for (int i = 0; i < width; i++) {
                y[i] = residualScale * carried[i];
            }
        } else {
            Arrays.fill(y, 0, width, 0);
        }
    }

    /**
     * Turns the sums of T tokens into outputs; the layer must not be direct. What is not finite
     * becomes NaN.
     *
     * @param carried [T, carried size]
     * @param executed [T], whether any choice of the token was executed
     * @param sums [T, sum width]
     * @param out [T, width], written
     */
    public void apply(float[] carried, boolean[] executed, float[] sums, float[] out)
            throws OrtException {
        int count = 0;
        for (int token = 0; token < executed.length; token++) {
            int at = token * width;
            if (!Floats.allFinite(sums, token * sumWidth, sumWidth)) {
                Arrays.fill(out, at, at + width, Float.NaN);
            } else if (executed[token] || hasShared) {
                places[count++] = token;
            } else {
                addResidual(carried, token, null, out);
            }
            if (count == MAX_ROWS || token == executed.length - 1) {
                run(carried, executed, sums, count, out);
                count = 0;
            }
        }
    }

    /** Runs the models for the tokens of the first places. */
    private void run(float[] carried, boolean[] executed, float[] sums, int count, float[] out)
            throws OrtException {
        if (count == 0) {
            return;
        }
        if (routedOutput == null) {
            for (int i = 0; i < count; i++) {
                rows.put(sums, places[i], i, 1);
            }
        } else {
            for (int i = 0; i < count; i++) {
                sumRows.put(sums, places[i], i, 1);
            }
            routedOutput.run(sumRows, rows, count);
            addShared(carried, executed, count);
        }
        if (postNorm != null) {
            postNorm.run(rows, normed, count);
        }
        DirectRows last = postNorm == null ? rows : normed;
        for (int i = 0; i < count; i++) {
            last.get(i, m, 0, 1);
            addResidual(carried, places[i], m, out);
        }
    }

    private void addShared(float[] carried, boolean[] executed, int count) {
        for (int i = 0; i < count; i++) {
            rows.get(i, m, 0, 1);
            if (!executed[places[i]]) {
                Arrays.fill(m, 0);
            }
            if (hasShared) {
                int from = (places[i] + 1) * carriedSize - width;
                System.arraycopy(carried, from, residual, 0, width);
                Floats.addScaled(m, 1, residual, width);
            }
            rows.put(m, 0, i, 1);
        }
    }

    /**
     * @param normedSum null for none
     */
    private void addResidual(float[] carried, int token, float[] normedSum, float[] out) {
        Arrays.fill(residual, 0);
        if (hasResidual) {
            int from = token * carriedSize;
            for (int i = 0; i < width; i++) {
                residual[i] = residualScale * carried[from + i];
            }
        }
        if (normedSum != null) {
            Floats.addScaled(residual, outputScale, normedSum, width);
        }
        System.arraycopy(residual, 0, out, token * width, width);
    }
}
