package io.flinkmoe.serialization;

import io.flinkmoe.capacity.WindowCounts;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** The wire form of {@link WindowCounts}, which knows nothing of Flink. */
@Internal
public final class WindowCountsSerializer extends ImmutableSerializer<WindowCounts> {

    private static final long serialVersionUID = 1L;

    @Override
    public void serialize(WindowCounts account, DataOutputView out) throws IOException {
        out.writeLong(account.asked());
        out.writeLong(account.executed());
        out.writeLong(account.rerouted());
        out.writeLong(account.overflowed());
        out.writeLong(account.late());
        out.writeLong(account.failed());
    }

    @Override
    public WindowCounts deserialize(DataInputView in) throws IOException {
        return new WindowCounts(
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

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<WindowCounts> {
        public Snapshot() {
            super(WindowCountsSerializer::new);
        }
    }
}
