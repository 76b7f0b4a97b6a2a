// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import org.apache.flink.annotation.PublicEvolving;

/** The element types of safetensors files whose size is a whole number of bytes. */
@PublicEvolving
public enum DType {
    F64(8),
    F32(4),
    F16(2),
    BF16(2),
    F8_E4M3(1),
    F8_E5M2(1),
    F8_E8M0(1),
    I64(8),
    I32(4),
    I16(2),
    I8(1),
    U64(8),
    U32(4),
    U16(2),
    U8(1),
    BOOL(1);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** The size of one element in bytes. */
    public int bytes() {
        return bytes;
    }
}
