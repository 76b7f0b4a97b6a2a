// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import static org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness.repackageState;
import static org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness.repartitionOperatorState;

import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.metrics.groups.TaskMetricGroup;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.operators.testutils.MockEnvironmentBuilder;
import org.apache.flink.runtime.operators.testutils.MockInputSplitProvider;
import org.apache.flink.runtime.state.StateBackend;
import org.apache.flink.runtime.state.hashmap.HashMapStateBackend;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;

/** The subtask whose operator a harness runs: its place, backend, metrics and state. */
@Internal
final class SubtaskUnderTest {

    /** The managed memory that Flink's own harnesses offer to state backends. */
    private static final int MANAGED_MEMORY = 3 << 20;

    private static final int BUFFER_SIZE = 1024;

    StateBackend backend = new HashMapStateBackend();
    TaskMetricGroup metrics;
    int parallelism = 1;
    int subtask;
    OperatorSubtaskState[] states = {};

    MockEnvironment environment(int maxParallelism) {
        MockEnvironmentBuilder builder =
                new MockEnvironmentBuilder()
                        .setTaskName("MoE operator under test")
                        .setManagedMemorySize(MANAGED_MEMORY)
                        .setInputSplitProvider(new MockInputSplitProvider())
                        .setBufferSize(BUFFER_SIZE)
                        .setMaxParallelism(maxParallelism)
                        .setParallelism(parallelism)
                        .setSubtaskIndex(subtask);
        if (metrics != null) {
            builder.setMetricGroup(metrics);
        }
        return builder.build();
    }

    <O, H extends AbstractStreamOperatorTestHarness<O>> H open(
            H harness, TypeSerializer<O> output, int maxParallelism) throws Exception {
        harness.setStateBackend(backend); // The harness reads it in setup.
        harness.setup(output); // With a serializer, the harness keeps copies of the output.
        if (states.length == 1 && parallelism == 1) {
            harness.initializeState(states[0]);
        } else if (states.length > 0) {
            harness.initializeState(
                    repartitionOperatorState(
                            repackageState(states),
                            maxParallelism,
                            states.length,
                            parallelism,
                            subtask));
        }
        harness.open();
        return harness;
    }
}
