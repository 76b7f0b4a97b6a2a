package io.flinkmoe.stream;

import java.util.List;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.runtime.state.StateInitializationContext;

/**
 * A number that keyed state was written with and that must not change while it lives: with another
 * count of lanes or experts the same keys would stand for other things, unnoticed.
 */
final class FixedCount {

    private static final ListStateDescriptor<Integer> DESCRIPTOR =
            new ListStateDescriptor<>("count", IntSerializer.INSTANCE);

    private FixedCount() {}

    /**
     * Remembers the count, or refuses to go on with another one.
     *
     * @param what names the count for the error
     */
    static void keep(StateInitializationContext context, String what, int count) throws Exception {
        ListState<Integer> state = context.getOperatorStateStore().getUnionListState(DESCRIPTOR);
        for (int written : state.get()) {
            if (written != count) {
                throw new IllegalStateException(
                        "%s is %d, but the checkpoint was written with %d, which is fixed for the life of the state. Set it back, or start without that checkpoint"
                                .formatted(what, count, written));
            }
        }
        state.update(List.of(count));
    }
}
