package io.flinkmoe.runtime.block;

import io.flinkmoe.api.Origin;
import io.flinkmoe.api.Token;
import io.flinkmoe.serialization.ImmutableSerializer;
import io.flinkmoe.serialization.RecordTypeInfo;
import io.flinkmoe.serialization.Wire;
import io.flinkmoe.tensor.Floats;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * T tokens of one lane, in order: what enters a router.
 *
 * @param lane hash of the stream modulo the number of lanes
 * @param streams [T]
 * @param positions [T]
 * @param timestamps [T], event time, milliseconds since the epoch
 * @param late [T], whether the token's window was closed when it came; or none, if no token is late
 * @param origins [T], where each token came from; or none, if that is unknown
 * @param vectors [T, width] float32, little endian
 * @param layers what the layers before chose for these tokens
 */
@Internal
public record TokenBlock(
        int lane,
        String[] streams,
        long[] positions,
        long[] timestamps,
        boolean[] late,
        Origin[] origins,
        byte[] vectors,
        Choices[] layers) {

    /** The type information, with a serializer of its own. */
    public static final TypeInformation<TokenBlock> TYPE =
            new RecordTypeInfo<>(TokenBlock.class, new Serializer());

    /** No token is late. */
    public static final boolean[] NONE_LATE = {};

    /** It is not known of any token where it came from. */
    public static final Origin[] NO_ORIGINS = {};

    private static final Choices.Serializer CHOICES = new Choices.Serializer();

    /** Tokens of unknown origin, none of which is late. */
    public TokenBlock(
            int lane,
            String[] streams,
            long[] positions,
            long[] timestamps,
            byte[] vectors,
            Choices[] layers) {
        this(lane, streams, positions, timestamps, NONE_LATE, NO_ORIGINS, vectors, layers);
    }

    /** T. */
    public int rows() {
        return streams.length;
    }

    /** The same tokens with other vectors. */
    public TokenBlock withVectors(byte[] others) {
        return new TokenBlock(lane, streams, positions, timestamps, late, origins, others, layers);
    }

    /** The same tokens with another history. */
    public TokenBlock withLayers(Choices[] history) {
        return new TokenBlock(
                lane, streams, positions, timestamps, late, origins, vectors, history);
    }

    /** The same tokens, some of them late. */
    public TokenBlock withLate(boolean[] flags) {
        return new TokenBlock(
                lane, streams, positions, timestamps, flags, origins, vectors, layers);
    }

    public boolean isLate(int row) {
        return late.length > 0 && late[row];
    }

    /** Where a token came from. */
    public Origin origin(int row) {
        return origins.length > 0 ? origins[row] : Origin.UNKNOWN;
    }

    /** How many tokens are late. */
    public int numLate() {
        int count = 0;
        for (boolean flag : late) {
            count += flag ? 1 : 0;
        }
        return count;
    }

    /**
     * Some of the tokens.
     *
     * @param rows the rows wanted, ascending
     * @param width of a vector
     */
    public TokenBlock select(int[] rows, int width) {
        byte[] selected = new byte[rows.length * width * Float.BYTES];
        for (int i = 0; i < rows.length; i++) {
            Floats.copyRow(vectors, rows[i], selected, i, width);
        }
        return select(rows, selected);
    }

    /** The tokens in blocks of at most {@code maxRows}, in order. */
    public List<TokenBlock> slices(int maxRows, int width) {
        if (rows() <= maxRows) {
            return List.of(this);
        }
        List<TokenBlock> slices = new ArrayList<>();
        for (int from = 0; from < rows(); from += maxRows) {
            int[] rows = new int[Math.min(maxRows, rows() - from)];
            for (int i = 0; i < rows.length; i++) {
                rows[i] = from + i;
            }
            slices.add(select(rows, width));
        }
        return slices;
    }

    /** Some of the tokens, with vectors given for just these. */
    public TokenBlock select(int[] rows, byte[] theirVectors) {
        if (rows.length == rows()) {
            return withVectors(theirVectors);
        }
        String[] theirStreams = new String[rows.length];
        long[] theirPositions = new long[rows.length];
        long[] theirTimestamps = new long[rows.length];
        boolean[] theirLate = late.length == 0 ? NONE_LATE : new boolean[rows.length];
        Origin[] theirOrigins = origins.length == 0 ? NO_ORIGINS : new Origin[rows.length];
        for (int i = 0; i < rows.length; i++) {
            theirStreams[i] = streams[rows[i]];
            theirPositions[i] = positions[rows[i]];
            theirTimestamps[i] = timestamps[rows[i]];
            if (late.length > 0) {
                theirLate[i] = late[rows[i]];
            }
            if (origins.length > 0) {
                theirOrigins[i] = origins[rows[i]];
            }
        }
        Choices[] theirLayers = new Choices[layers.length];
        for (int layer = 0; layer < layers.length; layer++) {
            theirLayers[layer] = layers[layer].select(rows);
        }
        return new TokenBlock(
                lane,
                theirStreams,
                theirPositions,
                theirTimestamps,
                theirLate,
                theirOrigins,
                theirVectors,
                theirLayers);
    }

    /** The rows that are late, or those that are not, ascending. */
    public int[] rowsThatAreLate(boolean wanted) {
        int[] rows = new int[rows()];
        int count = 0;
        for (int row = 0; row < rows.length; row++) {
            if (isLate(row) == wanted) {
                rows[count++] = row;
            }
        }
        return Arrays.copyOf(rows, count);
    }

    /** The one token of a block of one. */
    public Token only() {
        return new Token(streams[0], positions[0], timestamps[0], Floats.toFloats(vectors));
    }

    /** The wire form. */
    public static final class Serializer extends ImmutableSerializer<TokenBlock> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(TokenBlock record, DataOutputView out) throws IOException {
            out.writeInt(record.lane);
            Wire.writeStrings(record.streams, out);
            Wire.writeLongs(record.positions, out);
            Wire.writeLongs(record.timestamps, out);
            Wire.writeBooleans(record.late, out);
            Origins.write(record.origins, out);
            Wire.writeBytes(record.vectors, out);
            out.writeInt(record.layers.length);
            for (Choices choices : record.layers) {
                CHOICES.serialize(choices, out);
            }
        }

        @Override
        public TokenBlock deserialize(DataInputView in) throws IOException {
            int lane = in.readInt();
            String[] streams = Wire.readStrings(in);
            long[] positions = Wire.readLongs(in);
            long[] timestamps = Wire.readLongs(in);
            boolean[] late = Wire.readBooleans(in);
            Origin[] origins = Origins.read(in);
            byte[] vectors = Wire.readBytes(in);
            Choices[] layers = new Choices[in.readInt()];
            for (int layer = 0; layer < layers.length; layer++) {
                layers[layer] = CHOICES.deserialize(in);
            }
            return new TokenBlock(
                    lane, streams, positions, timestamps, late, origins, vectors, layers);
        }

        @Override
        public TypeSerializerSnapshot<TokenBlock> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<TokenBlock> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
