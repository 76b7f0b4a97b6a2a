// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import java.util.concurrent.CompletableFuture;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.runtime.io.network.api.writer.ResultPartitionWriter;

/** The buffers of all outputs of a task. */
@Internal
public final class TaskOutputs {

    private final Environment task;

    public TaskOutputs(Environment task) {
        this.task = task;
    }

    /** Sends what is buffered, instead of waiting for full buffers or for the buffer timeout. */
    public void flush() {
        for (ResultPartitionWriter writer : task.getAllWriters()) {
            writer.flushAll();
        }
    }

    /** Is done when all outputs have free buffers. */
    public CompletableFuture<?> available() {
        ResultPartitionWriter[] writers = task.getAllWriters();
        CompletableFuture<?>[] futures = new CompletableFuture<?>[writers.length];
        for (int i = 0; i < writers.length; i++) {
            futures[i] = writers[i].getAvailableFuture();
        }
        return CompletableFuture.allOf(futures);
    }
}
