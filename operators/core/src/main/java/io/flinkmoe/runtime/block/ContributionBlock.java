// SPDX-License-Identifier: Apache-2.0
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
 * The results of one expert for some choices of a batch, on the way to the combine.
 *
 * @param lane the batch's lane
 * @param batch the lane's batch number
 * @param attempt the round of admission of the expert, from 0; also the attempt of the choices
 * @param choices [R], the choices of the batch: token row * k + rank
 * @param outcomes [R], codes of {@link io.flinkmoe.capacity.Outcome}
 * @param weights [E], the factors of the outputs of the E executed rows, in order, if the expert
 *     determines them ({@link io.flinkmoe.capacity.WeightRule#WINDOW}); else empty
 * @param vectors [E, d], the outputs of the E executed rows, in order
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

    /** The type information of this record. */
    public static final TypeInformation<ContributionBlock> TYPE =
            new RecordTypeInfo<>(ContributionBlock.class, new Serializer());

    /** The {@code weights} of results whose weights the router determines. */
    public static final float[] NO_WEIGHTS = {};

    /** Returns the same results with owned vectors. */
    public ContributionBlock owned() {
        return vectors.isBorrowed()
                ? new ContributionBlock(
                        lane, batch, attempt, choices, outcomes, weights, vectors.owned())
                : this;
    }

    /** The serializer of this record. */
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

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<ContributionBlock> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
