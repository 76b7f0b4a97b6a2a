// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.apache.flink.annotation.Internal;

/** Counters in a file that two processes map into memory. They survive the crash of a process. */
@Internal
final class FuzzProgress {

    /** The counters. Each has 8 bytes of the file. */
    enum Counter {
        /** The number of the input that is being read. */
        CURRENT,
        ACCEPTED,
        REJECTED,
        /** The maximum of the bytes allocated for one input. */
        MAX_ALLOCATED,
        /** 1 after the target was opened. */
        STARTED,
        /** 1 after all inputs were read. */
        DONE
    }

    private static final VarHandle LONGS =
            MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());

    private final ByteBuffer memory;

    FuzzProgress(Path file) throws IOException {
        try (FileChannel channel =
                FileChannel.open(
                        file,
                        StandardOpenOption.CREATE,
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE)) {
            long size = (long) Long.BYTES * Counter.values().length;
            memory = channel.map(FileChannel.MapMode.READ_WRITE, 0, size);
        }
    }

    long get(Counter counter) {
        return (long) LONGS.getVolatile(memory, counter.ordinal() * Long.BYTES);
    }

    void set(Counter counter, long value) {
        LONGS.setVolatile(memory, counter.ordinal() * Long.BYTES, value);
    }
}
