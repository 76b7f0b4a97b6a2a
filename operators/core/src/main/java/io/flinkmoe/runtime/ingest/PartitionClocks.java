// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.ingest;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.capacity.Windows;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.runtime.state.StateInitializationContext;

/**
 * The highest timestamp that each partition of the source has reached, so that the content of a
 * partition alone decides which of its tokens are late: a token is late if its window ended before
 * the highest timestamp of the tokens before it in its partition, minus the maximum
 * out-of-orderness. A token that is far behind its record is late, too, and does not count.
 * Watermarks cannot decide this: Flink does not restore them, and how far they are ahead of a token
 * depends on timing.
 *
 * <p>Kept in union list state and merged by maximum, because another subtask may read a partition
 * after a restart.
 */
@Internal
final class PartitionClocks implements PartitionLateness {

    private static final ListStateDescriptor<Tuple2<Integer, Long>> DESCRIPTOR =
            new ListStateDescriptor<>("partition-clocks", Types.TUPLE(Types.INT, Types.LONG));

    private final Windows windows;
    private final long maxOutOfOrderness;
    private final ListState<Tuple2<Integer, Long>> state;
    private final Map<Integer, long[]> highest = new HashMap<>();

    /**
     * @param maxOutOfOrderness how far timestamps within a partition may be out of order, in
     *     milliseconds
     */
    PartitionClocks(StateInitializationContext context, Windows windows, long maxOutOfOrderness)
            throws Exception {
        this.windows = windows;
        this.maxOutOfOrderness = maxOutOfOrderness;
        this.state = context.getOperatorStateStore().getUnionListState(DESCRIPTOR);
        for (Tuple2<Integer, Long> clock : state.get()) {
            advance(clock.f0, clock.f1);
        }
    }

    @Override
    public boolean isLate(Arrival arrival) {
        if (arrival.isBehind()) {
            return true;
        }
        if (arrival.partition() == Arrival.NO_PARTITION) {
            return false; // The watermark decides.
        }
        long timestamp = arrival.token().timestamp();
        long clock = advance(arrival.partition(), timestamp);
        return windows.isClosed(timestamp, clock - maxOutOfOrderness - 1);
    }

    private long advance(int partition, long timestamp) {
        long[] clock = highest.get(partition);
        if (clock == null) {
            clock = new long[] {timestamp};
            highest.put(partition, clock);
        }
        clock[0] = Math.max(clock[0], timestamp);
        return clock[0];
    }

    @Override
    public void snapshot() throws Exception {
        state.clear();
        for (Map.Entry<Integer, long[]> clock : highest.entrySet()) {
            state.add(Tuple2.of(clock.getKey(), clock.getValue()[0]));
        }
    }
}
