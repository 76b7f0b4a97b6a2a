package io.flinkmoe.runtime.block;

import io.flinkmoe.capacity.Attempt;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.serialization.ImmutableSerializer;
import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * What one layer chose for the T tokens of a block. A token makes k choices; choice {@code row * k
 * + rank} tries the expert of its rank, and where overflow goes to the next expert, in attempt a
 * that of rank + a·k. So K ranks are known of each token, K = k where there is one attempt.
 *
 * @param k choices per token
 * @param experts [T, K], the token's experts in order of rank; -1 where none could be chosen
 * @param weights [T, K], what the experts' outputs are multiplied by
 * @param scores [T, K], what the experts score, neither normalised nor scaled; or none
 * @param outcomes [T, k], codes of {@link Outcome}, or {@link #PENDING}
 * @param attempts [T, k], the attempt that settled the choice, from 0
 */
@Internal
public record Choices(
        int k, int[] experts, float[] weights, float[] scores, byte[] outcomes, byte[] attempts) {

    /** The outcome of a choice that an expert has yet to answer. */
    public static final byte PENDING = -1;

    /** No scores. */
    public static final float[] NO_SCORES = {};

    /** Choices of one attempt, without scores. */
    public Choices(int k, int[] experts, float[] weights, byte[] outcomes) {
        this(k, experts, weights, NO_SCORES, outcomes, new byte[outcomes.length]);
    }

    /** K, the ranks that are known of each token. */
    public int ranks() {
        return outcomes.length == 0 ? k : experts.length / (outcomes.length / k);
    }

    /** Where the expert is that a choice tried in an attempt, in the arrays of K per token. */
    public int at(int choice, int attempt) {
        return choice / k * ranks() + Attempt.rank(choice, attempt, k);
    }

    /** Where the expert is that settled a choice; the first one tried if none had room. */
    public int settledAt(int choice) {
        boolean overflowed = outcomes[choice] == Outcome.OVERFLOWED.code();
        return at(choice, overflowed ? 0 : attempts[choice]);
    }

    public boolean isExecuted(int choice) {
        return outcomes[choice] == Outcome.EXECUTED.code()
                || outcomes[choice] == Outcome.REROUTED.code();
    }

    /** The choices of some rows only. */
    public Choices select(int[] rows) {
        int ranks = ranks();
        Choices selected =
                new Choices(
                        k,
                        new int[rows.length * ranks],
                        new float[rows.length * ranks],
                        scores.length == 0 ? NO_SCORES : new float[rows.length * ranks],
                        new byte[rows.length * k],
                        new byte[rows.length * k]);
        for (int i = 0; i < rows.length; i++) {
            int from = rows[i] * ranks;
            System.arraycopy(experts, from, selected.experts, i * ranks, ranks);
            System.arraycopy(weights, from, selected.weights, i * ranks, ranks);
            if (scores.length > 0) {
                System.arraycopy(scores, from, selected.scores, i * ranks, ranks);
            }
            System.arraycopy(outcomes, rows[i] * k, selected.outcomes, i * k, k);
            System.arraycopy(attempts, rows[i] * k, selected.attempts, i * k, k);
        }
        return selected;
    }

    /** The wire form. */
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
        }

        @Override
        public Choices deserialize(DataInputView in) throws IOException {
            return new Choices(
                    in.readInt(),
                    Wire.readInts(in),
                    Wire.readFloats(in),
                    Wire.readFloats(in),
                    Wire.readBytes(in),
                    Wire.readBytes(in));
        }

        @Override
        public TypeSerializerSnapshot<Choices> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Choices> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
