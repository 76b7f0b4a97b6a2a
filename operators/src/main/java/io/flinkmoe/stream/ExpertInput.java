package io.flinkmoe.stream;

import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** What a router sends to an expert: rows to run, or how many tokens a window had. */
public sealed interface ExpertInput permits DispatchBlock, WindowTokens {

    /** The expert that it goes to, counted from 0. */
    int expert();

    /** The wire form: a byte that tells the kind, then the kind's own form. */
    final class Serializer extends ImmutableSerializer<ExpertInput> {
        private static final long serialVersionUID = 1L;
        private static final byte ROWS = 0;
        private static final byte TOKENS = 1;
        private static final DispatchBlock.Serializer BLOCK = new DispatchBlock.Serializer();
        private static final WindowTokens.Serializer COUNT = new WindowTokens.Serializer();

        @Override
        public void serialize(ExpertInput record, DataOutputView out) throws IOException {
            if (record instanceof DispatchBlock block) {
                out.writeByte(ROWS);
                BLOCK.serialize(block, out);
            } else {
                out.writeByte(TOKENS);
                COUNT.serialize((WindowTokens) record, out);
            }
        }

        @Override
        public ExpertInput deserialize(DataInputView in) throws IOException {
            return in.readByte() == ROWS ? BLOCK.deserialize(in) : COUNT.deserialize(in);
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
