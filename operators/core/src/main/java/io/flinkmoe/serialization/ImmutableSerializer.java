// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.serialization;

import org.apache.flink.annotation.Internal;

/**
 * The base class of serializers of records that never change after they are emitted. A copy is the
 * record itself, even between chained operators without object reuse.
 */
@Internal
public abstract class ImmutableSerializer<T> extends RecordSerializer<T> {

    private static final long serialVersionUID = 1L;

    @Override
    public boolean isImmutableType() {
        return true;
    }

    @Override
    public T copy(T from) {
        return from;
    }
}
