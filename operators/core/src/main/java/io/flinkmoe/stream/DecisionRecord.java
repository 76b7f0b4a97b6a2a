package io.flinkmoe.stream;

import io.flinkmoe.capacity.GlobalWindow;
import io.flinkmoe.capacity.Outcome;
import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import org.apache.flink.util.OutputTag;

/**
 * Why a token went where it went: an entry of the decision log.
 *
 * @param stream the token's stream
 * @param position the token's place in its stream
 * @param timestamp the token's event time, milliseconds since the epoch
 * @param windowStart first timestamp of its capacity window; {@link #NO_WINDOW} without capacity
 * @param modelVersion the version of the bundle that decided
 * @param layers an entry per MoE layer
 */
public record DecisionRecord(
        String stream,
        long position,
        long timestamp,
        long windowStart,
        String modelVersion,
        Layer[] layers) {

    /** Where the decision log goes. */
    public static final OutputTag<DecisionRecord> DECISIONS =
            new OutputTag<>("decisions", StreamTypes.DECISION_RECORD);

    /** The window of every token without a capacity. */
    public static final long NO_WINDOW = GlobalWindow.START;

    /**
     * What one layer decided. The token's K best experts are given in order of rank; choice j of k
     * tried those of ranks j, j + k, ... up to attempt {@code attempts[j]}, from 0.
     *
     * @param experts [K], counted from 0; -1 where none could be chosen
     * @param scores [K], neither normalised nor scaled; NaN for a token that was routed before the
     *     log was asked for
     * @param weights [K], what the experts' outputs are multiplied by if they run the token
     * @param outcomes [k], what became of each choice
     * @param attempts [k], the attempt that settled it
     */
    public record Layer(
            int[] experts, float[] scores, float[] weights, Outcome[] outcomes, int[] attempts) {}

    /** What a block tells of one of its tokens, once all layers have run. */
    static DecisionRecord of(TokenBlock tokens, int row, long windowStart, String modelVersion) {
        Layer[] layers = new Layer[tokens.layers().length];
        for (int i = 0; i < layers.length; i++) {
            Choices choices = tokens.layers()[i].select(new int[] {row});
            Outcome[] outcomes = new Outcome[choices.k()];
            int[] attempts = new int[choices.k()];
            for (int choice = 0; choice < outcomes.length; choice++) {
                outcomes[choice] = Outcome.ofCode(choices.outcomes()[choice]);
                attempts[choice] = choices.attempts()[choice];
            }
            layers[i] =
                    new Layer(
                            choices.experts(),
                            scores(choices),
                            choices.weights(),
                            outcomes,
                            attempts);
        }
        return new DecisionRecord(
                tokens.streams()[row],
                tokens.positions()[row],
                tokens.timestamps()[row],
                windowStart,
                modelVersion,
                layers);
    }

    private static float[] scores(Choices choices) {
        if (choices.scores().length > 0) {
            return choices.scores();
        }
        float[] unknown = new float[choices.experts().length];
        Arrays.fill(unknown, Float.NaN);
        return unknown;
    }

    /** The wire form. */
    public static final class Serializer extends ImmutableSerializer<DecisionRecord> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(DecisionRecord record, DataOutputView out) throws IOException {
            Wire.writeString(record.stream, out);
            out.writeLong(record.position);
            out.writeLong(record.timestamp);
            out.writeLong(record.windowStart);
            Wire.writeString(record.modelVersion, out);
            out.writeInt(record.layers.length);
            for (Layer layer : record.layers) {
                Wire.writeInts(layer.experts, out);
                Wire.writeFloats(layer.scores, out);
                Wire.writeFloats(layer.weights, out);
                Wire.writeInts(layer.attempts, out);
                for (Outcome outcome : layer.outcomes) {
                    out.writeByte(outcome.code());
                }
            }
        }

        @Override
        public DecisionRecord deserialize(DataInputView in) throws IOException {
            String stream = Wire.readString(in);
            long position = in.readLong();
            long timestamp = in.readLong();
            long windowStart = in.readLong();
            String modelVersion = Wire.readString(in);
            Layer[] layers = new Layer[in.readInt()];
            for (int i = 0; i < layers.length; i++) {
                int[] experts = Wire.readInts(in);
                float[] scores = Wire.readFloats(in);
                float[] weights = Wire.readFloats(in);
                int[] attempts = Wire.readInts(in);
                Outcome[] outcomes = new Outcome[attempts.length];
                for (int choice = 0; choice < outcomes.length; choice++) {
                    outcomes[choice] = Outcome.ofCode(in.readByte());
                }
                layers[i] = new Layer(experts, scores, weights, outcomes, attempts);
            }
            return new DecisionRecord(
                    stream, position, timestamp, windowStart, modelVersion, layers);
        }

        @Override
        public TypeSerializerSnapshot<DecisionRecord> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<DecisionRecord> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
