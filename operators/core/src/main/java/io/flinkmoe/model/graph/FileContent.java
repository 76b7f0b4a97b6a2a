// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import org.apache.flink.annotation.Internal;

/** The content of a file of a bundle, whose size is known before it is written. */
@Internal
public interface FileContent {

    /** The number of bytes. */
    long size();

    /** Writes all bytes, block by block. */
    void writeTo(OutputStream out) throws IOException;

    /** The remaining bytes of a buffer, such as a mapped file. They are not copied. */
    static FileContent of(ByteBuffer bytes) {
        return new FileContent() {
            @Override
            public long size() {
                return bytes.remaining();
            }

            @Override
            public void writeTo(OutputStream out) throws IOException {
                ByteBuffer rest = bytes.duplicate();
                byte[] block = new byte[Math.min(1 << 16, rest.remaining())];
                while (rest.hasRemaining()) {
                    int count = Math.min(block.length, rest.remaining());
                    rest.get(block, 0, count);
                    out.write(block, 0, count);
                }
            }
        };
    }

    /** Bytes in memory. They are not copied. */
    static FileContent of(byte[] bytes) {
        return new FileContent() {
            @Override
            public long size() {
                return bytes.length;
            }

            @Override
            public void writeTo(OutputStream out) throws IOException {
                out.write(bytes);
            }
        };
    }
}
