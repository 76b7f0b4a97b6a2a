// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.capacity.Candidate;
import io.flinkmoe.serialization.RecordSerializer;
import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * The rows of one batch that try one expert, on the way to it: from the router, or from the round
 * of admission in which they overflowed.
 *
 * @param expert the expert, counted from 0
 * @param lane the batch's lane, to which the results return
 * @param batch the lane's batch number
 * @param attempt 0 from the router, r from round r-1 of admission
 * @param choices [R], the choices of the batch: token row * k + rank
 * @param timestamps [R], event time, milliseconds since the epoch
 * @param priorities the data for admission at the close of a window; else {@link Priorities#NONE}
 * @param vectors [R, d], the hidden vectors of the tokens
 */
@Internal
public record DispatchBlock(
        int expert,
        int lane,
        long batch,
        int attempt,
        int[] choices,
        long[] timestamps,
        Priorities priorities,
        Vectors vectors)
        implements ExpertInput {

    /** R, the number of rows. */
    public int rows() {
        return choices.length;
    }

    /**
     * Returns some rows of a block that has priorities.
     *
     * @param rows the rows to select, ascending
     */
    public DispatchBlock select(int[] rows) {
        if (rows.length == rows()) {
            return this;
        }
        int[] selectedChoices = new int[rows.length];
        long[] selectedTimestamps = new long[rows.length];
        for (int i = 0; i < rows.length; i++) {
            selectedChoices[i] = choices[rows[i]];
            selectedTimestamps[i] = timestamps[rows[i]];
        }
        return new DispatchBlock(
                expert,
                lane,
                batch,
                attempt,
                selectedChoices,
                selectedTimestamps,
                priorities.select(rows),
                vectors.select(rows, rows()));
    }

    /**
     * Returns a row of a block that has priorities as a candidate for admission.
     *
     * @param topK k
     * @param index identifies the row among the candidates of all blocks
     */
    public Candidate candidate(int row, int topK, int index) {
        return new Candidate(
                index,
                choices[row] % topK,
                priorities.topScores()[row],
                priorities.score(row, attempt),
                timestamps[row],
                priorities.streams()[row],
                priorities.positions()[row],
                batch,
                choices[row]);
    }

    /** Returns the same rows with other scores, [R, A]. */
    public DispatchBlock withScores(float[] scores) {
        Priorities others =
                new Priorities(
                        priorities.streams(),
                        priorities.positions(),
                        priorities.topScores(),
                        scores,
                        priorities.nextExperts());
        return with(others, vectors);
    }

    private DispatchBlock with(Priorities newPriorities, Vectors newVectors) {
        return new DispatchBlock(
                expert, lane, batch, attempt, choices, timestamps, newPriorities, newVectors);
    }

    /** Returns the same rows with owned vectors. */
    DispatchBlock owned() {
        return vectors.isBorrowed() ? with(priorities, vectors.owned()) : this;
    }

    /** Returns some rows, rerouted to their next expert. */
    public DispatchBlock reroute(int nextExpert, int[] rows) {
        DispatchBlock selected = select(rows);
        return new DispatchBlock(
                nextExpert,
                lane,
                batch,
                attempt + 1,
                selected.choices,
                selected.timestamps,
                selected.priorities,
                selected.vectors);
    }

    /**
     * Returns the results of some rows for the combine.
     *
     * @param rows the rows, ascending
     * @param outcomes the outcome of each of them
     * @param weights the weights of the executed ones, or none
     * @param outputs the outputs of the executed ones
     */
    public ContributionBlock contribution(
            int[] rows, byte[] outcomes, float[] weights, Vectors outputs) {
        int[] ofRows = new int[rows.length];
        for (int i = 0; i < rows.length; i++) {
            ofRows[i] = choices[rows[i]];
        }
        return new ContributionBlock(lane, batch, attempt, ofRows, outcomes, weights, outputs);
    }

    /** The serializer of this record. */
    public static final class Serializer extends RecordSerializer<DispatchBlock> {
        private static final long serialVersionUID = 1L;

        @Override
        public DispatchBlock copy(DispatchBlock from) {
            return from.owned();
        }

        @Override
        public void serialize(DispatchBlock record, DataOutputView out) throws IOException {
            out.writeInt(record.expert);
            out.writeInt(record.lane);
            out.writeLong(record.batch);
            out.writeInt(record.attempt);
            Wire.writeInts(record.choices, out);
            Wire.writeLongs(record.timestamps, out);
            record.priorities.write(out);
            record.vectors.write(out);
        }

        @Override
        public DispatchBlock deserialize(DataInputView in) throws IOException {
            return new DispatchBlock(
                    in.readInt(),
                    in.readInt(),
                    in.readLong(),
                    in.readInt(),
                    Wire.readInts(in),
                    Wire.readLongs(in),
                    Priorities.read(in),
                    Vectors.read(in));
        }

        @Override
        public TypeSerializerSnapshot<DispatchBlock> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<DispatchBlock> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
