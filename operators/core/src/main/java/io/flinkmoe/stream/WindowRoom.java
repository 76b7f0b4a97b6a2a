package io.flinkmoe.stream;

import java.io.IOException;
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
public record WindowRoom(int expert, long windowStart, int room) implements ExpertInput {

    /** The wire form. */
    public static final class Serializer extends ImmutableSerializer<WindowRoom> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(WindowRoom record, DataOutputView out) throws IOException {
            out.writeInt(record.expert);
            out.writeLong(record.windowStart);
            out.writeInt(record.room);
        }

        @Override
        public WindowRoom deserialize(DataInputView in) throws IOException {
            return new WindowRoom(in.readInt(), in.readLong(), in.readInt());
        }

        @Override
        public TypeSerializerSnapshot<WindowRoom> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<WindowRoom> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
