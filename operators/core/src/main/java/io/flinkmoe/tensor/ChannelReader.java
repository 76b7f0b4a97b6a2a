// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;

/** Reads bytes at positions of an open file. */
@Internal
record ChannelReader(Path path, FileChannel channel) {

    /** Fills the buffer, flips it, and sets its order to little endian. */
    ByteBuffer readFully(long position, ByteBuffer into) throws IOException {
        while (into.hasRemaining()) {
            int n = channel.read(into, position + into.position());
            if (n < 0) {
                throw new SafetensorsException(
                        path,
                        "the file ends at byte %d; expected at least %d bytes: it was truncated while it was read"
                                .formatted(channel.size(), position + into.limit()));
            }
        }
        return into.flip().order(ByteOrder.LITTLE_ENDIAN);
    }
}
