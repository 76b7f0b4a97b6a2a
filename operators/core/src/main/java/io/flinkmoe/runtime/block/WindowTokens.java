package io.flinkmoe.runtime.block;

import io.flinkmoe.serialization.ImmutableSerializer;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * How many tokens of a closed window one lane had, late ones not counted. The router tells every
 * expert before the watermark that closes the window, so that the expert knows all of T when it
 * closes the window itself.
 *
 * @param expert the expert that is told
 * @param lane the lane that was counted
 * @param windowStart first timestamp of the window, milliseconds since the epoch
 * @param tokens tokens, at least 1: an expert hears nothing of a lane that had none
 */
@Internal
public record WindowTokens(int expert, int lane, long windowStart, int tokens)
        implements ExpertInput {

    /** The wire form. */
    public static final class Serializer extends ImmutableSerializer<WindowTokens> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(WindowTokens record, DataOutputView out) throws IOException {
            out.writeInt(record.expert);
            out.writeInt(record.lane);
            out.writeLong(record.windowStart);
            out.writeInt(record.tokens);
        }

        @Override
        public WindowTokens deserialize(DataInputView in) throws IOException {
            return new WindowTokens(in.readInt(), in.readInt(), in.readLong(), in.readInt());
        }

        @Override
        public TypeSerializerSnapshot<WindowTokens> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<WindowTokens> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
