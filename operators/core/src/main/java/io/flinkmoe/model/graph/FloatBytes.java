// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import io.flinkmoe.tensor.FloatBlocks;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.flink.annotation.Internal;

/** Floats as little-endian bytes, of which only a block at a time is in memory. */
@Internal
record FloatBytes(FloatBlocks floats) implements FileContent {
    private static final int BLOCK = 1 << 14;

    @Override
    public long size() {
        return floats.count() * Float.BYTES;
    }

    @Override
    public void writeTo(OutputStream out) throws IOException {
        int most = (int) Math.min(BLOCK, floats.count());
        ByteBuffer bytes = ByteBuffer.allocate(most * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        floats.forEachBlock(
                (block, count) -> {
                    for (int at = 0, n; at < count; at += n) {
                        n = Math.min(most, count - at);
                        bytes.asFloatBuffer().put(block, at, n);
                        out.write(bytes.array(), 0, n * Float.BYTES);
                    }
                });
    }
}
