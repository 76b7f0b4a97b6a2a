package io.flinkmoe.stream;

import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * What one layer chose for the T tokens of a block: arrays of [T, k], row-major, so that choice
 * {@code row * k + rank} is the token's choice of that rank.
 *
 * @param k choices per token
 * @param experts the chosen experts; -1 where none could be chosen
 * @param weights what the experts' outputs are multiplied by
 * @param outcomes codes of {@link io.flinkmoe.capacity.Outcome}, or {@link #PENDING}
 */
public record Choices(int k, int[] experts, float[] weights, byte[] outcomes) {

    /** The outcome of a choice that an expert has yet to answer. */
    public static final byte PENDING = -1;

    /** The choices of some rows only. */
    Choices select(int[] rows) {
        Choices selected =
                new Choices(
                        k,
                        new int[rows.length * k],
                        new float[rows.length * k],
                        new byte[rows.length * k]);
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(experts, rows[i] * k, selected.experts, i * k, k);
            System.arraycopy(weights, rows[i] * k, selected.weights, i * k, k);
            System.arraycopy(outcomes, rows[i] * k, selected.outcomes, i * k, k);
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
            Wire.writeBytes(record.outcomes, out);
        }

        @Override
        public Choices deserialize(DataInputView in) throws IOException {
            return new Choices(
                    in.readInt(), Wire.readInts(in), Wire.readFloats(in), Wire.readBytes(in));
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
