package io.flinkmoe.serialization;

import org.apache.flink.annotation.Internal;

/**
 * Base of the serializers of records that nobody changes once they are emitted, so that a copy is
 * the record itself, also between chained operators without object reuse.
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
