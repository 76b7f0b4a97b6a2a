// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import java.io.IOException;
import java.io.OutputStream;
import org.apache.flink.annotation.Internal;

/** The content of a file of a bundle, whose size is known before it is written. */
@Internal
public interface FileContent {

    /** The number of bytes. */
    long size();

    /** Writes all bytes, block by block. */
    void writeTo(OutputStream out) throws IOException;

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
