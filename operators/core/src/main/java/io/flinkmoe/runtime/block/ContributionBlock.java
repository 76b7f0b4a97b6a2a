package io.flinkmoe.runtime.block;

import io.flinkmoe.serialization.RecordSerializer;
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
 * What one expert answered for some choices of a batch, on the way to the combine.
 *
 * @param lane the batch's lane
 * @param batch the lane's batch number
 * @param attempt the round of admission that answers, from 0: which of a choice's experts this is
 * @param choices [R], which choices of the batch are answered: token row * k + rank
 * @param outcomes [R], codes of {@link io.flinkmoe.capacity.Outcome}
 * @param weights [E], what the outputs of the E executed rows are multiplied by, in order, where
 *     the expert knows ({@link io.flinkmoe.capacity.WeightRule#WINDOW}); else none
 * @param vectors [E, d]: the outputs of the E executed rows, in order
 */
@Internal
public record ContributionBlock(
        int lane,
        long batch,
        int attempt,
        int[] choices,
        byte[] outcomes,
        float[] weights,
        Vectors vectors) {

    /** The type information, with a serializer of its own. */
    public static final TypeInformation<ContributionBlock> TYPE =
            new RecordTypeInfo<>(ContributionBlock.class, new Serializer());

    /** The same with vectors of its own. */
    ContributionBlock owned() {
        return vectors.isBorrowed()
                ? new ContributionBlock(
                        lane, batch, attempt, choices, outcomes, weights, vectors.owned())
                : this;
    }

    /** The wire form. */
    public static final class Serializer extends RecordSerializer<ContributionBlock> {
        private static final long serialVersionUID = 1L;

        @Override
        public ContributionBlock copy(ContributionBlock from) {
            return from.owned();
        }

        @Override
        public void serialize(ContributionBlock record, DataOutputView out) throws IOException {
            out.writeInt(record.lane);
            out.writeLong(record.batch);
            out.writeInt(record.attempt);
            Wire.writeInts(record.choices, out);
            Wire.writeBytes(record.outcomes, out);
            Wire.writeFloats(record.weights, out);
            record.vectors.write(out);
        }

        @Override
        public ContributionBlock deserialize(DataInputView in) throws IOException {
            return new ContributionBlock(
                    in.readInt(),
                    in.readLong(),
                    in.readInt(),
                    Wire.readInts(in),
                    Wire.readBytes(in),
                    Wire.readFloats(in),
                    Vectors.read(in));
        }

        @Override
        public TypeSerializerSnapshot<ContributionBlock> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<ContributionBlock> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
