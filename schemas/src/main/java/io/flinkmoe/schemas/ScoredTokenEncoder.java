// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import org.apache.avro.io.BinaryEncoder;

/** Writes a {@link ScoredToken} to Avro bytes and copies the vector in bulk. Not thread-safe. */
public final class ScoredTokenEncoder {

    private final RecordWriter writer;
    private final VectorCodec vectors = new VectorCodec();

    private ScoredTokenEncoder(RecordWriter writer) {
        this.writer = writer;
    }

    /** An encoder for Avro's single-object encoding. */
    public static ScoredTokenEncoder singleObject() {
        return new ScoredTokenEncoder(RecordWriter.singleObject(ScoredToken.getClassSchema()));
    }

    /** An encoder for bare Avro, without a header. */
    public static ScoredTokenEncoder raw() {
        return new ScoredTokenEncoder(RecordWriter.raw());
    }

    /**
     * @param timestamp event time, milliseconds since the epoch
     * @param values the output; null for none, or for named ones
     * @param outputs the outputs by name; null for none, or for a vector
     * @param experts the expert of each layer and choice: [layers][k]
     * @param weights the weights of each layer, gate and choice: [layers][G * k]
     * @param outcomes the ordinal of the {@link Outcome} of each layer and choice: [layers][k]
     * @return the message, in a new array
     */
    public byte[] encode(
            String stream,
            long position,
            long timestamp,
            float[] values,
            Map<String, ?> outputs,
            String modelVersion,
            int[][] experts,
            float[][] weights,
            int[][] outcomes) {
        try {
            BinaryEncoder out = writer.start();
            out.writeString(stream);
            out.writeLong(position);
            out.writeLong(timestamp);
            out.writeIndex(values == null ? 0 : 1);
            if (values != null) {
                vectors.write(values, out);
            }
            NamedValuesWriter.write(outputs, out);
            out.writeString(modelVersion);
            out.writeArrayStart();
            out.setItemCount(experts.length);
            for (int layer = 0; layer < experts.length; layer++) {
                out.startItem();
                writeChoices(out, experts[layer], weights[layer], outcomes[layer]);
            }
            out.writeArrayEnd();
            return writer.end();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void writeChoices(
            BinaryEncoder out, int[] experts, float[] weights, int[] outcomes) throws IOException {
        out.writeArrayStart();
        out.setItemCount(experts.length);
        for (int choice = 0; choice < experts.length; choice++) {
            out.startItem();
            out.writeInt(experts[choice]);
            writeWeight(out, weights, experts.length, choice);
            out.writeEnum(outcomes[choice]);
            writeGateWeights(out, weights, experts.length, choice);
        }
        out.writeArrayEnd();
    }

    private static void writeWeight(BinaryEncoder out, float[] weights, int k, int choice)
            throws IOException {
        float sum = weights[choice];
        for (int at = choice + k; at < weights.length; at += k) {
            sum += weights[at];
        }
        out.writeFloat(sum);
    }

    private static void writeGateWeights(BinaryEncoder out, float[] weights, int k, int choice)
            throws IOException {
        out.writeArrayStart();
        if (weights.length > k) {
            out.setItemCount(weights.length / k);
            for (int at = choice; at < weights.length; at += k) {
                out.startItem();
                out.writeFloat(weights[at]);
            }
        } else {
            out.setItemCount(0);
        }
        out.writeArrayEnd();
    }
}
