// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.shared.WaitingTokens;
import io.flinkmoe.serialization.ImmutableSerializer;
import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** What has happened to a batch in the dispatch. The state keeps the changes of each batch. */
@Internal
public sealed interface BatchChange {

    /** The vectors have arrived. */
    record Arrived(WaitingTokens tokens) implements BatchChange {}

    /** Choices were decided. */
    record Decided(DecisionBlock.OfBatch decisions) implements BatchChange {}

    /**
     * Tokens have left.
     *
     * @param rows their rows
     */
    record Left(int[] rows) implements BatchChange {}

    /** The serializer of this record: one byte for the kind of change, then its content. */
    final class Serializer extends ImmutableSerializer<BatchChange> {
        private static final long serialVersionUID = 1L;
        private static final byte ARRIVED = 0;
        private static final byte DECIDED = 1;
        private static final byte LEFT = 2;

        @Override
        public void serialize(BatchChange change, DataOutputView out) throws IOException {
            if (change instanceof Arrived arrived) {
                out.writeByte(ARRIVED);
                arrived.tokens.write(out);
            } else if (change instanceof Decided decided) {
                out.writeByte(DECIDED);
                decided.decisions.write(out);
            } else {
                out.writeByte(LEFT);
                Wire.writeInts(((Left) change).rows, out);
            }
        }

        @Override
        public BatchChange deserialize(DataInputView in) throws IOException {
            return switch (in.readByte()) {
                case ARRIVED -> new Arrived(WaitingTokens.read(in));
                case DECIDED -> new Decided(DecisionBlock.OfBatch.read(in));
                default -> new Left(Wire.readInts(in));
            };
        }

        @Override
        public TypeSerializerSnapshot<BatchChange> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    final class Snapshot extends SimpleTypeSerializerSnapshot<BatchChange> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
