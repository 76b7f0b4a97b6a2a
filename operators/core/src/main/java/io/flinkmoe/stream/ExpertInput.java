package io.flinkmoe.stream;

import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * What a router, or the round of admission before, sends to an expert: rows to run, how many tokens
 * a window had, or how much room it has left.
 */
public sealed interface ExpertInput permits DispatchBlock, WindowTokens, WindowRoom {

    /** The expert that it goes to, counted from 0. */
    int expert();

    /** The wire form: a byte that tells the kind, then the kind's own form. */
    final class Serializer extends RecordSerializer<ExpertInput> {
        private static final long serialVersionUID = 1L;
        private static final byte ROWS = 0;
        private static final byte TOKENS = 1;
        private static final byte ROOM = 2;
        private static final DispatchBlock.Serializer BLOCK = new DispatchBlock.Serializer();
        private static final WindowTokens.Serializer COUNT = new WindowTokens.Serializer();
        private static final WindowRoom.Serializer LEFT = new WindowRoom.Serializer();

        @Override
        public ExpertInput copy(ExpertInput from) {
            return from instanceof DispatchBlock block ? block.owned() : from;
        }

        @Override
        public void serialize(ExpertInput record, DataOutputView out) throws IOException {
            if (record instanceof DispatchBlock block) {
                out.writeByte(ROWS);
                BLOCK.serialize(block, out);
            } else if (record instanceof WindowTokens count) {
                out.writeByte(TOKENS);
                COUNT.serialize(count, out);
            } else {
                out.writeByte(ROOM);
                LEFT.serialize((WindowRoom) record, out);
            }
        }

        @Override
        public ExpertInput deserialize(DataInputView in) throws IOException {
            return switch (in.readByte()) {
                case ROWS -> BLOCK.deserialize(in);
                case TOKENS -> COUNT.deserialize(in);
                default -> LEFT.deserialize(in);
            };
        }

        @Override
        public TypeSerializerSnapshot<ExpertInput> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the wire form. */
    final class Snapshot extends SimpleTypeSerializerSnapshot<ExpertInput> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
