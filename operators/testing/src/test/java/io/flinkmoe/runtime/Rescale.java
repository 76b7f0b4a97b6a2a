package io.flinkmoe.runtime;

import static org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness.repackageState;
import static org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness.repartitionOperatorState;

import io.flinkmoe.runtime.shared.EvenKeys;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;

/** The state of one operator at another parallelism. */
public final class Rescale {

    private Rescale() {}

    /** State for subtask {@code subtask} of {@code to}, out of the states of all subtasks. */
    public static OperatorSubtaskState to(
            int to, int subtask, EvenKeys keys, OperatorSubtaskState... states) throws Exception {
        return repartitionOperatorState(
                repackageState(states), keys.maxParallelism(), states.length, to, subtask);
    }
}
