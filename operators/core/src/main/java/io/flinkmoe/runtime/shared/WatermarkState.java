// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;

/**
 * The watermark of an operator, kept in keyed state: Flink does not restore watermarks, and a
 * window that closed before a failure must not open again after it. The watermark of a key is the
 * larger of its restored watermark and the operator's watermark since the start.
 */
@Internal
public final class WatermarkState {

    private static final ValueStateDescriptor<Long> DESCRIPTOR =
            new ValueStateDescriptor<>("watermark", LongSerializer.INSTANCE);

    private final AbstractStreamOperator<?> operator;
    private final EvenKeys keys;
    private final ValueState<Long> state;
    private final long[] restored;
    private final int[] owned;
    private long current = Long.MIN_VALUE;
    private long previous = Long.MIN_VALUE;

    /** Reads the restored watermark of every key that the subtask owns. */
    public WatermarkState(AbstractStreamOperator<?> operator, EvenKeys keys) throws Exception {
        this.operator = operator;
        this.keys = keys;
        this.state = operator.getRuntimeContext().getState(DESCRIPTOR);
        this.restored = new long[keys.count()];
        Arrays.fill(restored, Long.MIN_VALUE);
        this.owned = keys.owned(operator.getRuntimeContext().getTaskInfo());
        for (int i : owned) {
            operator.setCurrentKey(keys.keyOf(i));
            Long value = state.value();
            restored[i] = value == null ? Long.MIN_VALUE : value;
        }
    }

    /** The experts or lanes that this subtask owns. */
    public int[] owned() {
        return owned;
    }

    /** Advances the operator's watermark. */
    public void advance(long watermark) {
        previous = current;
        current = Math.max(current, watermark);
    }

    /** The operator's watermark since it started. */
    public long current() {
        return current;
    }

    /** The watermark of expert or lane {@code i} before the last call of {@link #advance}. */
    public long before(int i) {
        return Math.max(previous, restored[i]);
    }

    /** The watermark of expert or lane {@code i}. */
    public long of(int i) {
        return Math.max(current, restored[i]);
    }

    /**
     * Writes the watermark of every owned key. Call it from {@code snapshotState}. The final
     * watermark, which ends the input, is not written: after a drained savepoint, new tokens are
     * not late.
     */
    public void snapshot() throws Exception {
        for (int i : owned) {
            if (of(i) > Long.MIN_VALUE && of(i) < Long.MAX_VALUE) {
                operator.setCurrentKey(keys.keyOf(i));
                state.update(of(i));
            }
        }
    }
}
