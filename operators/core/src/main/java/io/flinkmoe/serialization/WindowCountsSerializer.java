// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.serialization;

import io.flinkmoe.capacity.WindowCounts;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * The serializer of {@link WindowCounts}, a class that does not depend on Flink's serialization.
 */
@Internal
public final class WindowCountsSerializer extends ImmutableSerializer<WindowCounts> {

    private static final long serialVersionUID = 1L;

    @Override
    public void serialize(WindowCounts counts, DataOutputView out) throws IOException {
        out.writeLong(counts.asked());
        out.writeLong(counts.admitted());
        out.writeLong(counts.passedOn());
        out.writeLong(counts.executed());
        out.writeLong(counts.rerouted());
        out.writeLong(counts.overflowed());
        out.writeLong(counts.late());
        out.writeLong(counts.failed());
        out.writeLong(counts.tokens());
    }

    @Override
    public WindowCounts deserialize(DataInputView in) throws IOException {
        return new WindowCounts(
                in.readLong(),
                in.readLong(),
                in.readLong(),
                in.readLong(),
                in.readLong(),
                in.readLong(),
                in.readLong(),
                in.readLong(),
                in.readLong());
    }

    @Override
    public TypeSerializerSnapshot<WindowCounts> snapshotConfiguration() {
        return new Snapshot();
    }

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<WindowCounts> {
        public Snapshot() {
            super(WindowCountsSerializer::new);
        }
    }
}
