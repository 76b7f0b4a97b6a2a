// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.pinned;

import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.io.SimpleVersionedSerializer;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;

/**
 * Writes pinned schemas before the state of a source's enumerator, whose own bytes follow. A job
 * that is restored uses the schemas that it was submitted with, so they are only skipped here.
 */
@Internal
public final class PinnedState<T> implements SimpleVersionedSerializer<T> {

    /** The versions of the enumerators' own serializers are lower. Their bytes have no schemas. */
    static final int FIRST_VERSION = 1_000;

    private final PinnedSchemas schemas;
    private final SimpleVersionedSerializer<T> serializer;

    /**
     * @param serializer the enumerator's own
     */
    public PinnedState(PinnedSchemas schemas, SimpleVersionedSerializer<T> serializer) {
        this.schemas = schemas;
        this.serializer = serializer;
    }

    @Override
    public int getVersion() {
        return FIRST_VERSION + serializer.getVersion();
    }

    @Override
    public byte[] serialize(T state) throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(256);
        schemas.write(out);
        out.write(serializer.serialize(state));
        return out.getCopyOfBuffer();
    }

    @Override
    public T deserialize(int version, byte[] bytes) throws IOException {
        if (version < FIRST_VERSION) {
            return serializer.deserialize(version, bytes);
        }
        DataInputDeserializer in = new DataInputDeserializer(bytes);
        PinnedSchemas.read(in);
        byte[] rest = new byte[in.available()];
        in.readFully(rest);
        return serializer.deserialize(version - FIRST_VERSION, rest);
    }

    /** Returns the schemas in the bytes of a state. */
    static PinnedSchemas schemas(int version, byte[] bytes) throws IOException {
        return version < FIRST_VERSION
                ? PinnedSchemas.NONE
                : PinnedSchemas.read(new DataInputDeserializer(bytes));
    }
}
