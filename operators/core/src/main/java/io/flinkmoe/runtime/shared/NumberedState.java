// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.State;
import org.apache.flink.api.common.state.StateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;

/**
 * Keyed state with a number beside the key, such as that of a batch or the start of a window.
 *
 * @param operator the operator, whose current key applies
 */
@Internal
public record NumberedState(AbstractStreamOperator<?> operator) {

    /** Returns the state of the current key and a number. */
    public <S extends State> S of(long number, StateDescriptor<S, ?> descriptor) throws Exception {
        return backend().getPartitionedState(number, LongSerializer.INSTANCE, descriptor);
    }

    /** Returns the entries of a list, which may be empty. */
    public <T> Iterable<T> entries(long number, ListStateDescriptor<T> descriptor)
            throws Exception {
        ListState<T> list = of(number, descriptor);
        Iterable<T> entries = list.get();
        return entries == null ? List.of() : entries;
    }

    /** Returns the keys and numbers that have an entry. */
    public List<Tuple2<Integer, Long>> all(StateDescriptor<?, ?> descriptor) throws Exception {
        of(0, descriptor); // A state must be registered with the backend before its keys are
        // listed.
        try (var entries = backend().<Long>getKeysAndNamespaces(descriptor.getName())) {
            return entries.toList();
        }
    }

    private KeyedStateBackend<Integer> backend() {
        return operator.getKeyedStateBackend();
    }
}
