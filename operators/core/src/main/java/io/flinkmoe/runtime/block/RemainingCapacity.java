package io.flinkmoe.runtime.block;

import io.flinkmoe.serialization.ImmutableSerializer;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * How much room an expert has left in a window that one round of admission has closed. It tells the
 * next round before the watermark that closes the window there, so that the rounds together never
 * exceed C. An expert that hears nothing of a window has all its room.
 *
 * @param expert the expert
 * @param windowStart first timestamp of the window, milliseconds since the epoch
 * @param room choices, 0 or more
 */
@Internal
public record RemainingCapacity(int expert, long windowStart, int room) implements ExpertInput {

    /** The wire form. */
    public static final class Serializer extends ImmutableSerializer<RemainingCapacity> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(RemainingCapacity record, DataOutputView out) throws IOException {
            out.writeInt(record.expert);
            out.writeLong(record.windowStart);
            out.writeInt(record.room);
        }

        @Override
        public RemainingCapacity deserialize(DataInputView in) throws IOException {
            return new RemainingCapacity(in.readInt(), in.readLong(), in.readInt());
        }

        @Override
        public TypeSerializerSnapshot<RemainingCapacity> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<RemainingCapacity> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
