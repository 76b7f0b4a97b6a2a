package io.flinkmoe.runtime.shared;

import io.flinkmoe.capacity.Admission;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.config.MoeOptions;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.util.TimeUtils;

/**
 * What state was written with and what must not change while it lives: with another count of lanes
 * the same keys would stand for other things, with other windows what waits would wait for ever, in
 * another order it would be weighed by scores of another kind.
 */
@Internal
public final class FixedSettings {

    private static final ListStateDescriptor<Tuple2<String, String>> DESCRIPTOR =
            new ListStateDescriptor<>("fixed-settings", Types.TUPLE(Types.STRING, Types.STRING));

    private final Map<String, String> settings = new LinkedHashMap<>();

    private FixedSettings() {}

    /** The settings of a capacity; dropless has none. */
    public static FixedSettings of(Capacity capacity) {
        FixedSettings fixed = new FixedSettings();
        if (!capacity.windows().areBounded()) {
            return fixed;
        }
        Admission admission =
                capacity.decidesAtClose(0) ? Admission.PRIORITIZED : Admission.FIRST_COME;
        Duration window = Duration.ofMillis(capacity.windows().size());
        fixed.with(MoeOptions.CAPACITY_WINDOW_SIZE.key(), TimeUtils.formatWithHighestUnit(window))
                .with(MoeOptions.CAPACITY_ADMISSION.key(), admission)
                .with(MoeOptions.OVERFLOW_ROUNDS.key(), capacity.overflowRounds())
                .with(MoeOptions.CAPACITY_WEIGHTS.key(), capacity.weightRule());
        return capacity.decidesAtClose()
                ? fixed.with(MoeOptions.CAPACITY_ORDER.key(), capacity.order())
                : fixed;
    }

    /**
     * @param name names the setting for the error
     */
    public FixedSettings with(String name, Object value) {
        settings.put(name, value.toString());
        return this;
    }

    /**
     * Remembers the settings, or refuses to go on with others.
     *
     * @throws IllegalStateException if the checkpoint was written with another value, or with one
     *     where there is none now
     */
    public void keep(OperatorStateStore store) throws Exception {
        // After a rescale a subtask may get the settings of several others, or of none: those of
        // all are the same, and one that refuses is enough.
        ListState<Tuple2<String, String>> state = store.getListState(DESCRIPTOR);
        for (Tuple2<String, String> written : state.get()) {
            String now = settings.getOrDefault(written.f0, "none");
            if (!now.equals(written.f1)) {
                throw new IllegalStateException(
                        "%s is %s, but the checkpoint was written with %s, which is fixed for the life of the state. Set it back, or start without that checkpoint"
                                .formatted(written.f0, now, written.f1));
            }
        }
        state.clear();
        for (Map.Entry<String, String> setting : settings.entrySet()) {
            state.add(Tuple2.of(setting.getKey(), setting.getValue()));
        }
    }
}
