// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import org.apache.flink.annotation.PublicEvolving;

/** How the matrices of experts are stored. They are computed with as float32. */
@PublicEvolving
public enum WeightType {
    FLOAT32(1, Float.BYTES),
    /** Half the size; values above 65504 cannot be stored. */
    FLOAT16(10, Short.BYTES),
    /** Half the size, with the range of float32. */
    BFLOAT16(16, Short.BYTES);

    /** The number of the type in ONNX. */
    final int onnxType;

    /** The size of a value. */
    final int bytes;

    WeightType(int onnxType, int bytes) {
        this.onnxType = onnxType;
        this.bytes = bytes;
    }
}
