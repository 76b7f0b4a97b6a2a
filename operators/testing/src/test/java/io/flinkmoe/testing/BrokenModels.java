// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.model.graph.OnnxGraph;
import java.util.List;

/** ONNX models whose outputs are not finite for some inputs. */
public final class BrokenModels {

    private BrokenModels() {}

    /** Answers its input, but NaN in the place of each value that is the trigger. */
    public static byte[] nanAt(float trigger, int width) {
        return new OnnxGraph("nan_at")
                .input("hidden", width)
                .output("output", width)
                .weights("trigger", new float[] {trigger})
                .weights("zero", new float[1])
                .node("Sub", "shifted", List.of("hidden", "trigger"))
                .node("Mul", "zeros", List.of("shifted", "zero"))
                .node("Div", "nan", List.of("zeros", "shifted"))
                .node("Add", "output", List.of("hidden", "nan"))
                .toBytes();
    }

    /** A router whose logits are the positive values of its input; it masks the other experts. */
    public static byte[] maskingRouter(int width) {
        return new OnnxGraph("masking")
                .input("hidden", width)
                .output("logits", width)
                .weights("zero", new float[1])
                .weights("mask", new float[] {Float.NEGATIVE_INFINITY})
                .node("Greater", "positive", List.of("hidden", "zero"))
                .node("Where", "logits", List.of("positive", "hidden", "mask"))
                .toBytes();
    }
}
