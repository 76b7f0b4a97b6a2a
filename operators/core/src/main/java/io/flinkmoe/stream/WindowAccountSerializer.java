package io.flinkmoe.stream;

import io.flinkmoe.capacity.WindowAccount;
import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** The wire form of {@link WindowAccount}, which knows nothing of Flink. */
public final class WindowAccountSerializer extends ImmutableSerializer<WindowAccount> {

    private static final long serialVersionUID = 1L;

    @Override
    public void serialize(WindowAccount account, DataOutputView out) throws IOException {
        out.writeLong(account.asked());
        out.writeLong(account.executed());
        out.writeLong(account.rerouted());
        out.writeLong(account.overflowed());
        out.writeLong(account.late());
        out.writeLong(account.failed());
    }

    @Override
    public WindowAccount deserialize(DataInputView in) throws IOException {
        return new WindowAccount(
                in.readLong(),
                in.readLong(),
                in.readLong(),
                in.readLong(),
                in.readLong(),
                in.readLong());
    }

    @Override
    public TypeSerializerSnapshot<WindowAccount> snapshotConfiguration() {
        return new Snapshot();
    }

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<WindowAccount> {
        public Snapshot() {
            super(WindowAccountSerializer::new);
        }
    }
}
