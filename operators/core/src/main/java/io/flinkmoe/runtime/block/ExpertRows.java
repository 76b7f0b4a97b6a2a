// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.serialization.RecordSerializer;
import io.flinkmoe.serialization.RecordTypeInfo;
import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.util.OutputTag;

/**
 * The rows of one batch that one expert executes, on the way to it.
 *
 * @param expert the expert, counted from 0
 * @param lane the batch's lane, to which the results return
 * @param batch the lane's batch number
 * @param choices [R], the choices of the batch: token row * k + rank
 * @param vectors [R, d], the input of the expert
 */
@Internal
public record ExpertRows(int expert, int lane, long batch, int[] choices, Vectors vectors) {

    /** The type information of this record. */
    public static final TypeInformation<ExpertRows> TYPE =
            new RecordTypeInfo<>(ExpertRows.class, new Serializer());

    /** The side output to the experts. */
    public static final OutputTag<ExpertRows> OUTPUT = new OutputTag<>("rows", TYPE);

    /** R, the number of rows. */
    public int rows() {
        return choices.length;
    }

    /** Returns the rows from {@code from} to before {@code to}, with owned vectors. */
    public ExpertRows slice(int from, int to) {
        return to - from == rows()
                ? owned()
                : new ExpertRows(
                        expert,
                        lane,
                        batch,
                        Arrays.copyOfRange(choices, from, to),
                        vectors.slice(from, to, rows()));
    }

    /** Returns the same rows with owned vectors. */
    ExpertRows owned() {
        return vectors.isBorrowed()
                ? new ExpertRows(expert, lane, batch, choices, vectors.owned())
                : this;
    }

    /**
     * Returns the results of the rows from {@code from} on for the combine.
     *
     * @param outcomes the outcome of each of these rows
     * @param outputs the outputs of the executed ones
     */
    public ContributionBlock contribution(int from, byte[] outcomes, Vectors outputs) {
        int[] ofRows = Arrays.copyOfRange(choices, from, from + outcomes.length);
        return new ContributionBlock(lane, batch, ofRows, outcomes, outputs);
    }

    /** The serializer of this record. */
    public static final class Serializer extends RecordSerializer<ExpertRows> {
        private static final long serialVersionUID = 1L;

        @Override
        public ExpertRows copy(ExpertRows from) {
            return from.owned();
        }

        @Override
        public void serialize(ExpertRows record, DataOutputView out) throws IOException {
            out.writeInt(record.expert);
            out.writeInt(record.lane);
            out.writeLong(record.batch);
            Wire.writeInts(record.choices, out);
            record.vectors.write(out);
        }

        @Override
        public ExpertRows deserialize(DataInputView in) throws IOException {
            return new ExpertRows(
                    in.readInt(), in.readInt(), in.readLong(), Wire.readInts(in), Vectors.read(in));
        }

        @Override
        public TypeSerializerSnapshot<ExpertRows> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<ExpertRows> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
