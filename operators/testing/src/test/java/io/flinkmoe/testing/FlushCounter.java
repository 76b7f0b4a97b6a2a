// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import java.util.List;
import org.apache.flink.runtime.io.network.partition.MockResultPartitionWriter;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;

/** An output of a task that counts how often it is flushed. */
public final class FlushCounter extends MockResultPartitionWriter {

    private int flushes;

    private FlushCounter() {}

    /** Adds an output to the task of a harness. */
    public static FlushCounter of(AbstractStreamOperatorTestHarness<?> harness) {
        FlushCounter counter = new FlushCounter();
        harness.getEnvironment().addOutputs(List.of(counter));
        return counter;
    }

    @Override
    public void flushAll() {
        flushes++;
    }

    public int flushes() {
        return flushes;
    }
}
