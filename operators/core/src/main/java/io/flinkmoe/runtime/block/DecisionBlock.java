// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.serialization.ImmutableSerializer;
import io.flinkmoe.serialization.RecordTypeInfo;
import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * What one round of an expert's admission has decided about choices of one lane, on the way to the
 * dispatch. Choices that the round passes on to their next expert are not in it.
 *
 * @param lane the lane
 * @param batches the decisions, by batch
 */
@Internal
public record DecisionBlock(int lane, OfBatch[] batches) {

    /** The type information of this record. */
    public static final TypeInformation<DecisionBlock> TYPE =
            new RecordTypeInfo<>(DecisionBlock.class, new Serializer());

    /** The {@code weights} of decisions that leave the weights to the router. */
    public static final float[] NO_WEIGHTS = {};

    /**
     * The decisions about choices of one batch.
     *
     * @param batch the lane's batch number
     * @param attempt the round of admission, from 0
     * @param choices [R], the choices of the batch: token row * k + rank
     * @param outcomes [R], OVERFLOWED or LATE; {@link Choices#PENDING} if the choice is admitted
     * @param weights [R], the weights of the choices, if the admission determines them; else empty
     */
    public record OfBatch(
            long batch, int attempt, int[] choices, byte[] outcomes, float[] weights) {

        /** The approximate number of bytes of the serialized form. */
        public int bytes() {
            return 24 + 5 * choices.length + Float.BYTES * weights.length;
        }

        /** Writes the decisions. */
        public void write(DataOutputView out) throws IOException {
            out.writeLong(batch);
            out.writeByte(attempt);
            Wire.writeInts(choices, out);
            Wire.writeBytes(outcomes, out);
            Wire.writeFloats(weights, out);
        }

        /** Reads what {@link #write} has written. */
        public static OfBatch read(DataInputView in) throws IOException {
            return new OfBatch(
                    in.readLong(),
                    in.readByte(),
                    Wire.readInts(in),
                    Wire.readBytes(in),
                    Wire.readFloats(in));
        }
    }

    /** The serializer of this record. */
    public static final class Serializer extends ImmutableSerializer<DecisionBlock> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(DecisionBlock record, DataOutputView out) throws IOException {
            out.writeInt(record.lane);
            out.writeInt(record.batches.length);
            for (OfBatch ofBatch : record.batches) {
                ofBatch.write(out);
            }
        }

        @Override
        public DecisionBlock deserialize(DataInputView in) throws IOException {
            int lane = in.readInt();
            OfBatch[] batches = new OfBatch[in.readInt()];
            for (int i = 0; i < batches.length; i++) {
                batches[i] = OfBatch.read(in);
            }
            return new DecisionBlock(lane, batches);
        }

        @Override
        public TypeSerializerSnapshot<DecisionBlock> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<DecisionBlock> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
