// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.capacity.Candidate;
import io.flinkmoe.serialization.ImmutableSerializer;
import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * Choices of one batch that ask one expert to be admitted, without vectors: from the router, or
 * from the round of admission that passed them on.
 *
 * @param expert the expert, counted from 0
 * @param lane the batch's lane, to which the decisions go
 * @param batch the lane's batch number
 * @param attempt 0 from the router, r from round r-1 of admission
 * @param choices [R], the choices of the batch: token row * k + rank
 * @param timestamps [R], event time, milliseconds since the epoch
 * @param priorities the data for admission at the close of a window; else {@link Priorities#NONE}
 */
@Internal
public record CandidateBlock(
        int expert,
        int lane,
        long batch,
        int attempt,
        int[] choices,
        long[] timestamps,
        Priorities priorities)
        implements AdmissionInput {

    /** R, the number of choices. */
    public int rows() {
        return choices.length;
    }

    /**
     * Returns some rows.
     *
     * @param rows the rows to select, ascending
     */
    public CandidateBlock select(int[] rows) {
        return rows.length == rows() ? this : rows(expert, attempt, rows);
    }

    /** Returns some rows, which now ask their next expert. */
    public CandidateBlock passedOn(int nextExpert, int[] rows) {
        return rows(nextExpert, attempt + 1, rows);
    }

    private CandidateBlock rows(int ofExpert, int inAttempt, int[] rows) {
        int[] selectedChoices = new int[rows.length];
        long[] selectedTimestamps = new long[rows.length];
        for (int i = 0; i < rows.length; i++) {
            selectedChoices[i] = choices[rows[i]];
            selectedTimestamps[i] = timestamps[rows[i]];
        }
        return new CandidateBlock(
                ofExpert,
                lane,
                batch,
                inAttempt,
                selectedChoices,
                selectedTimestamps,
                priorities.select(rows));
    }

    /**
     * Returns a row of a block that has priorities.
     *
     * @param topK k
     * @param index identifies the row among the candidates of all blocks
     */
    public Candidate candidate(int row, int topK, int index) {
        return new Candidate(
                index,
                priorities.rank(row, choices[row], topK),
                priorities.topScores()[row],
                priorities.score(row, attempt),
                timestamps[row],
                priorities.streams()[row],
                priorities.positions()[row],
                batch,
                choices[row]);
    }

    /** The serializer of this record. */
    public static final class Serializer extends ImmutableSerializer<CandidateBlock> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(CandidateBlock record, DataOutputView out) throws IOException {
            out.writeInt(record.expert);
            out.writeInt(record.lane);
            out.writeLong(record.batch);
            out.writeInt(record.attempt);
            Wire.writeInts(record.choices, out);
            Wire.writeLongs(record.timestamps, out);
            record.priorities.write(out);
        }

        @Override
        public CandidateBlock deserialize(DataInputView in) throws IOException {
            return new CandidateBlock(
                    in.readInt(),
                    in.readInt(),
                    in.readLong(),
                    in.readInt(),
                    Wire.readInts(in),
                    Wire.readLongs(in),
                    Priorities.read(in));
        }

        @Override
        public TypeSerializerSnapshot<CandidateBlock> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<CandidateBlock> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
