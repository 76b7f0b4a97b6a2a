package io.flinkmoe.runtime.ingest;

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
 * How far each partition of the source has come, so that lateness is a function of a partition's
 * content alone: a token is late when its window had ended before the highest timestamp that came
 * before it in its partition, less what may be out of order. Watermarks cannot tell: Flink does not
 * restore them, and how they run ahead of a token depends on timing.
 *
 * <p>Union list state, merged by maximum: a partition may be another subtask's after a restart.
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
     * @param maxOutOfOrderness milliseconds
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
    public boolean isLate(int partition, long timestamp) {
        long clock = advance(partition, timestamp);
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
