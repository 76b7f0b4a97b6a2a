// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * A sink that is exactly-once: all that it took is its state, and is given out when the input ends.
 * What it took after a checkpoint is gone when the job goes back to it.
 */
public final class StateSink<T> extends AbstractStreamOperator<T>
        implements OneInputStreamOperator<T, T> {

    private static final long serialVersionUID = 1L;

    /**
     * By sink and subtask, of its last attempt: a subtask may end before another one fails, and
     * start again. The mini cluster is in this process.
     */
    private static final Map<String, Map<Integer, List<?>>> ENDED = new ConcurrentHashMap<>();

    private static final Map<String, Map<Integer, List<?>>> RESTORED = new ConcurrentHashMap<>();

    private final String name;
    private final TypeInformation<T> type;

    private transient List<T> taken;
    private transient ListState<T> state;

    private StateSink(String name, TypeInformation<T> type) {
        this.name = name;
        this.type = type;
    }

    /** Ends a stream in the sink of that name. */
    public static <T> void add(DataStream<T> stream, String name) {
        TypeInformation<T> type = stream.getType();
        stream.transform(name, type, new StateSink<>(name, type)).uid(name);
    }

    /** Forgets what all sinks took in the jobs before. */
    public static void clear() {
        ENDED.clear();
        RESTORED.clear();
    }

    /** What a sink had when its input had ended. */
    public static <T> List<T> ended(String name, Class<T> type) {
        return all(ENDED, name, type);
    }

    /** What a sink had taken when the job was restored: that is, at the checkpoint. */
    public static <T> List<T> restored(String name, Class<T> type) {
        return all(RESTORED, name, type);
    }

    /** Whether a job that has ended had been restored, rather than started anew. */
    public static boolean wasRestored(String name) {
        return RESTORED.containsKey(name);
    }

    private static <T> List<T> all(
            Map<String, Map<Integer, List<?>>> sinks, String name, Class<T> type) {
        return sinks.getOrDefault(name, Map.of()).values().stream()
                .flatMap(List::stream)
                .map(type::cast)
                .toList();
    }

    private void publish(Map<String, Map<Integer, List<?>>> sinks) {
        sinks.computeIfAbsent(name, n -> new ConcurrentHashMap<>())
                .put(getRuntimeContext().getTaskInfo().getIndexOfThisSubtask(), List.copyOf(taken));
    }

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        state =
                context.getOperatorStateStore()
                        .getListState(new ListStateDescriptor<>("taken", type));
        taken = new ArrayList<>();
        state.get().forEach(taken::add);
        if (context.isRestored()) {
            publish(RESTORED);
        }
    }

    @Override
    public void processElement(StreamRecord<T> element) {
        taken.add(element.getValue());
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        state.update(taken);
    }

    @Override
    public void finish() throws Exception {
        super.finish();
        publish(ENDED);
    }
}
