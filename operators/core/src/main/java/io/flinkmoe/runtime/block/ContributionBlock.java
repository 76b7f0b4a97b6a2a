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
 * @param choices [R], the choices of the batch: token row * k + rank
 * @param outcomes [R], EXECUTED or FAILED: codes of {@link io.flinkmoe.capacity.Outcome}
 * @param vectors [E, d], the outputs of the E executed rows, in order
 */
@Internal
public record ContributionBlock(
        int lane, long batch, int[] choices, byte[] outcomes, Vectors vectors) {

    /** The type information of this record. */
    public static final TypeInformation<ContributionBlock> TYPE =
            new RecordTypeInfo<>(ContributionBlock.class, new Serializer());

    /** Returns the same results with owned vectors. */
    public ContributionBlock owned() {
        return vectors.isBorrowed()
                ? new ContributionBlock(lane, batch, choices, outcomes, vectors.owned())
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
            Wire.writeInts(record.choices, out);
            Wire.writeBytes(record.outcomes, out);
            record.vectors.write(out);
        }

        @Override
        public ContributionBlock deserialize(DataInputView in) throws IOException {
            return new ContributionBlock(
                    in.readInt(),
                    in.readLong(),
                    Wire.readInts(in),
                    Wire.readBytes(in),
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
