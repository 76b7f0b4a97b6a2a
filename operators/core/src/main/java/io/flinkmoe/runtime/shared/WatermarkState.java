package io.flinkmoe.runtime.shared;

import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;

/**
 * The watermark of an operator, kept per key over a restart: Flink does not restore watermarks, and
 * a window that was closed before a failure must not open again after it. In force for a key is the
 * larger of what was remembered for it and what has come since.
 */
@Internal
public final class WatermarkState {

    private static final ValueStateDescriptor<Long> DESCRIPTOR =
            new ValueStateDescriptor<>("watermark", LongSerializer.INSTANCE);

    private final AbstractStreamOperator<?> operator;
    private final EvenKeys keys;
    private final ValueState<Long> state;
    private final long[] remembered;
    private long current = Long.MIN_VALUE;
    private long previous = Long.MIN_VALUE;

    /** Reads what was remembered for every key that the subtask owns. */
    public WatermarkState(AbstractStreamOperator<?> operator, EvenKeys keys) throws Exception {
        this.operator = operator;
        this.keys = keys;
        this.state = operator.getRuntimeContext().getState(DESCRIPTOR);
        this.remembered = new long[keys.count()];
        for (int i = 0; i < remembered.length; i++) {
            remembered[i] = Long.MIN_VALUE;
            if (isOwned(i)) {
                operator.setCurrentKey(keys.keyOf(i));
                Long value = state.value();
                remembered[i] = value == null ? Long.MIN_VALUE : value;
            }
        }
    }

    /** Whether thing {@code i} (an expert, a lane) belongs to this subtask. */
    public boolean isOwned(int i) {
        TaskInfo task = operator.getRuntimeContext().getTaskInfo();
        return keys.subtaskOf(i, task.getNumberOfParallelSubtasks())
                == task.getIndexOfThisSubtask();
    }

    public void advance(long watermark) {
        previous = current;
        current = Math.max(current, watermark);
    }

    /** The operator's own watermark since it started. */
    public long current() {
        return current;
    }

    /** What was in force for thing {@code i} before the watermark advanced the last time. */
    public long before(int i) {
        return Math.max(previous, remembered[i]);
    }

    /** The watermark in force for thing {@code i}. */
    public long of(int i) {
        return Math.max(current, remembered[i]);
    }

    /**
     * Writes the watermark in force for every owned key; call it from {@code snapshotState}. The
     * one that ends the input is not written: a job that goes on after a drained savepoint is not
     * late.
     */
    public void snapshot() throws Exception {
        for (int i = 0; i < remembered.length; i++) {
            if (isOwned(i) && of(i) > Long.MIN_VALUE && of(i) < Long.MAX_VALUE) {
                operator.setCurrentKey(keys.keyOf(i));
                state.update(of(i));
            }
        }
    }
}
