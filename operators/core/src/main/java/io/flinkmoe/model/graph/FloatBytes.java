// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import io.flinkmoe.tensor.FloatBlocks;
import io.flinkmoe.tensor.Floats;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.flink.annotation.Internal;

/**
 * Floats as little-endian bytes of some type, of which only a block at a time is in memory. Values
 * of 16 bits are the nearest ones, ties to even.
 */
@Internal
record FloatBytes(FloatBlocks floats, WeightType type) implements FileContent {
    private static final int BLOCK = 1 << 14;

    @Override
    public long size() {
        return floats.count() * type.bytes;
    }

    @Override
    public void writeTo(OutputStream out) throws IOException {
        int most = (int) Math.min(BLOCK, floats.count());
        ByteBuffer bytes = ByteBuffer.allocate(most * type.bytes).order(ByteOrder.LITTLE_ENDIAN);
        floats.forEachBlock(
                (block, count) -> {
                    for (int at = 0, n; at < count; at += n) {
                        n = Math.min(most, count - at);
                        encode(block, at, n, bytes);
                        out.write(bytes.array(), 0, n * type.bytes);
                    }
                });
    }

    private void encode(float[] block, int at, int count, ByteBuffer bytes) throws IOException {
        if (type == WeightType.FLOAT32) {
            bytes.asFloatBuffer().put(block, at, count);
            return;
        }
        for (int i = 0; i < count; i++) {
            float value = block[at + i];
            short bits =
                    type == WeightType.FLOAT16 ? Floats.toHalf(value) : Floats.toBfloat16(value);
            float stored =
                    type == WeightType.FLOAT16
                            ? Floats.fromHalf(bits)
                            : Float.intBitsToFloat(bits << 16);
            if (!Float.isFinite(stored)) {
                throw new IOException(
                        "a weight is %s, which %s cannot store; store the weights as float32 or bfloat16"
                                .formatted(value, type.name().toLowerCase(java.util.Locale.ROOT)));
            }
            bytes.putShort(Short.BYTES * i, bits);
        }
    }
}
