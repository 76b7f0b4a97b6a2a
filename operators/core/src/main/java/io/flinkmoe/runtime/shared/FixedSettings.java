// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import io.flinkmoe.capacity.AdmissionMode;
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
 * Settings that must not change while the state is kept, because the state depends on them. With
 * another number of lanes, the same keys would mean other lanes. With other windows, held rows
 * would wait forever. In another admission order, held rows would be compared by scores of another
 * kind.
 */
@Internal
public final class FixedSettings {

    private static final ListStateDescriptor<Tuple2<String, String>> DESCRIPTOR =
            new ListStateDescriptor<>("fixed-settings", Types.TUPLE(Types.STRING, Types.STRING));

    private final Map<String, String> settings = new LinkedHashMap<>();

    /** Creates settings without any. */
    public FixedSettings() {}

    /** Returns the settings of a capacity; {@code Dropless} has none. */
    public static FixedSettings of(Capacity capacity) {
        FixedSettings fixed = new FixedSettings();
        if (!capacity.windows().areBounded()) {
            return fixed;
        }
        AdmissionMode admission =
                capacity.decidesAtClose(0) ? AdmissionMode.PRIORITIZED : AdmissionMode.FIRST_COME;
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
     * Adds a setting.
     *
     * @param name the name of the setting in error messages
     */
    public FixedSettings with(String name, Object value) {
        settings.put(name, value.toString());
        return this;
    }

    /**
     * Compares the settings with those in the restored state, and writes them to the state.
     *
     * @throws IllegalStateException if the checkpoint was written with another value of a setting,
     *     or with a setting that does not exist now
     */
    public void keep(OperatorStateStore store) throws Exception {
        // After rescaling, a subtask can receive the settings of several subtasks or of none.
        // All are equal, so it is enough if one subtask fails.
        ListState<Tuple2<String, String>> state = store.getListState(DESCRIPTOR);
        for (Tuple2<String, String> written : state.get()) {
            String now = settings.getOrDefault(written.f0, "none");
            if (!now.equals(written.f1)) {
                throw new IllegalStateException(
                        "%s is %s, but the checkpoint was written with %s, which is fixed for the life of the state. Set the old value again, or start without this checkpoint"
                                .formatted(written.f0, now, written.f1));
            }
        }
        state.clear();
        for (Map.Entry<String, String> setting : settings.entrySet()) {
            state.add(Tuple2.of(setting.getKey(), setting.getValue()));
        }
    }
}
