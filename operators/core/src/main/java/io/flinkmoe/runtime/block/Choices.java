// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.capacity.Attempt;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.serialization.ImmutableSerializer;
import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * The choices of one layer for the T tokens of a block. A token has k choices at most. Choice
 * {@code row * k + rank} tries the expert of its rank in attempt 0 and, if it is rerouted, the
 * expert of rank + a·k in attempt a. K is the number of ranks known per token; with one attempt, K
 * = k. With several gates, the choices are the union of what the gates chose, and there is one
 * attempt.
 *
 * @param k choices per token, at most
 * @param experts [T, K], the token's experts in order of rank; -1 if the token could not be routed
 *     or has fewer
 * @param weights [T, K], the factors of the experts' outputs; empty with several gates
 * @param scores [T, K], the scores of the experts, neither normalized nor scaled; or {@link
 *     #NO_SCORES}
 * @param outcomes [T, k], codes of {@link Outcome}, {@link Outcome#NO_CHOICE} or {@link #PENDING}
 * @param attempts [T, k], the attempt that determined the outcome of the choice, from 0
 * @param gates what each of several gates chose, or {@link GateRanks#ONE}
 */
@Internal
public record Choices(
        int k,
        int[] experts,
        float[] weights,
        float[] scores,
        byte[] outcomes,
        byte[] attempts,
        GateRanks gates) {

    /** The outcome code of a choice that an expert has not decided yet. */
    public static final byte PENDING = -1;

    /** No scores. */
    public static final float[] NO_SCORES = {};

    /** Creates choices of one gate. */
    public Choices(
            int k,
            int[] experts,
            float[] weights,
            float[] scores,
            byte[] outcomes,
            byte[] attempts) {
        this(k, experts, weights, scores, outcomes, attempts, GateRanks.ONE);
    }

    /** Creates choices of one gate and one attempt, without scores. */
    public Choices(int k, int[] experts, float[] weights, byte[] outcomes) {
        this(k, experts, weights, NO_SCORES, outcomes, new byte[outcomes.length]);
    }

    /** Returns the same choices, decided. */
    public Choices decided(float[] newWeights, byte[] newOutcomes, byte[] newAttempts) {
        return new Choices(k, experts, newWeights, scores, newOutcomes, newAttempts, gates);
    }

    /** Returns the same choices with other weights of the gates. */
    public Choices withGateWeights(float[] others) {
        return new Choices(
                k, experts, weights, scores, outcomes, attempts, gates.withWeights(others));
    }

    /** K, the number of ranks known per token. */
    public int ranks() {
        return outcomes.length == 0 ? k : experts.length / (outcomes.length / k);
    }

    /** The index, in arrays [T, K], of the expert that a choice tries in an attempt. */
    public int at(int choice, int attempt) {
        return choice / k * ranks() + Attempt.rank(choice, attempt, k);
    }

    /**
     * The index, in arrays [T, K], of the expert that determined the outcome of a choice; of the
     * first expert tried if the choice overflowed.
     */
    public int finalAt(int choice) {
        boolean overflowed = outcomes[choice] == Outcome.OVERFLOWED.code();
        return at(choice, overflowed ? 0 : attempts[choice]);
    }

    /** The expert that a choice tries in its attempt. */
    public int expert(int choice) {
        return experts[at(choice, attempts[choice])];
    }

    /**
     * Counts the pending choices of each expert.
     *
     * @param counts [N], overwritten
     */
    public void countPending(int[] counts) {
        Arrays.fill(counts, 0);
        for (int choice = 0; choice < outcomes.length; choice++) {
            if (outcomes[choice] == PENDING) {
                counts[expert(choice)]++;
            }
        }
    }

    /** Whether an expert executed a choice, rerouted or not. */
    public boolean isExecuted(int choice) {
        return outcomes[choice] == Outcome.EXECUTED.code()
                || outcomes[choice] == Outcome.REROUTED.code();
    }

    /** Whether an expert executed any choice of a token. */
    public boolean isAnyExecuted(int row) {
        boolean any = false;
        for (int choice = row * k; choice < (row + 1) * k; choice++) {
            any |= isExecuted(choice);
        }
        return any;
    }

    /**
     * Returns the choices of some rows.
     *
     * @param rows the rows to select, ascending
     */
    public Choices select(int[] rows) {
        if (rows.length * k == outcomes.length) {
            return this;
        }
        int ranks = ranks();
        Choices selected =
                new Choices(
                        k,
                        new int[rows.length * ranks],
                        new float[weights.length == 0 ? 0 : rows.length * ranks],
                        scores.length == 0 ? NO_SCORES : new float[rows.length * ranks],
                        new byte[rows.length * k],
                        new byte[rows.length * k],
                        gates.select(rows));
        for (int i = 0; i < rows.length; i++) {
            int from = rows[i] * ranks;
            System.arraycopy(experts, from, selected.experts, i * ranks, ranks);
            if (weights.length > 0) {
                System.arraycopy(weights, from, selected.weights, i * ranks, ranks);
            }
            if (scores.length > 0) {
                System.arraycopy(scores, from, selected.scores, i * ranks, ranks);
            }
            System.arraycopy(outcomes, rows[i] * k, selected.outcomes, i * k, k);
            System.arraycopy(attempts, rows[i] * k, selected.attempts, i * k, k);
        }
        return selected;
    }

    /** The serializer of this record. */
    public static final class Serializer extends ImmutableSerializer<Choices> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(Choices record, DataOutputView out) throws IOException {
            out.writeInt(record.k);
            Wire.writeInts(record.experts, out);
            Wire.writeFloats(record.weights, out);
            Wire.writeFloats(record.scores, out);
            Wire.writeBytes(record.outcomes, out);
            Wire.writeBytes(record.attempts, out);
            record.gates.write(out);
        }

        @Override
        public Choices deserialize(DataInputView in) throws IOException {
            return new Choices(
                    in.readInt(),
                    Wire.readInts(in),
                    Wire.readFloats(in),
                    Wire.readFloats(in),
                    Wire.readBytes(in),
                    Wire.readBytes(in),
                    GateRanks.read(in));
        }

        @Override
        public TypeSerializerSnapshot<Choices> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Choices> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
