// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.model.graph.OnnxGraph;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;

/** ONNX models that are valid protobuf and have the right widths, but that no job can run. */
public final class UnopenableModels {

    private UnopenableModels() {}

    /** A model of a version of the format that ONNX Runtime does not know. */
    public static byte[] ofTheFuture(int width) {
        byte[] onnx = FixedExperts.constant(1).onnx(0, width);
        onnx[1] = 99; // The first field of the file is its version.
        return onnx;
    }

    /** A model with an operator that does not exist. */
    public static byte[] withUnknownOperator(int width) {
        return new OnnxGraph("unknown_operator")
                .input("hidden", width)
                .output("output", width)
                .node("NoSuchOperator", "output", List.of("hidden"))
                .toBytes();
    }

    /** A model that multiplies matrices whose shapes do not fit. */
    public static byte[] withWrongShape(int width) {
        return new OnnxGraph("wrong_shape")
                .input("hidden", width)
                .output("output", width)
                .weights("w", new float[(width + 1) * width], width, width + 1)
                .node("MatMul", "inner", List.of("w", "w"))
                .node("Add", "output", List.of("hidden", "inner"))
                .toBytes();
    }

    /** A model that multiplies bfloat16, which ONNX Runtime does only on a GPU. */
    public static byte[] withoutCpuKernel(int width) {
        int bfloat16 = 16;
        int float32 = 1;
        return new OnnxGraph("bfloat16")
                .input("hidden", width)
                .output("output", width)
                .node("Cast", "x", List.of("hidden"), Map.of("to", bfloat16))
                .node("Mul", "y", List.of("x", "x"))
                .node("Cast", "output", List.of("y"), Map.of("to", float32))
                .toBytes();
    }

    /** The same model, as another program would have made it. */
    public static byte[] foreign(byte[] onnx) {
        byte[] ours = "flink-moe".getBytes(StandardCharsets.UTF_8);
        byte[] copy = onnx.clone();
        for (int at = 0; at + ours.length <= copy.length; at++) {
            if (ByteBuffer.wrap(copy, at, ours.length).equals(ByteBuffer.wrap(ours))) {
                copy[at] = 'F';
                return copy;
            }
        }
        throw new IllegalArgumentException("the model does not name its producer");
    }
}
