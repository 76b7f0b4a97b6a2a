// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.api.Origin;
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
 * T tokens of one lane, in order: the input of a router.
 *
 * @param lane hash of the stream modulo the number of lanes
 * @param streams [T]
 * @param positions [T]
 * @param timestamps [T], event time, milliseconds since the epoch
 * @param late [T], whether the token is late; empty if no token is
 * @param origins [T], the origins of the tokens; empty if none is known
 * @param vectors [T, width] float32, little endian; before the first layer the packed numbers of
 *     the input columns, [T, words]
 * @param strings [T, S], the strings of the input columns; empty if there are none, or if nothing
 *     reads them any more
 * @param payloads [T], the payloads of the tokens; empty if none has one
 * @param layers the choices of these tokens in the previous layers
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
        String[] strings,
        byte[][] payloads,
        Choices[] layers) {

    /** The type information of this record. */
    public static final TypeInformation<TokenBlock> TYPE =
            new RecordTypeInfo<>(TokenBlock.class, new Serializer());

    /** The {@code late} of a block without late tokens. */
    public static final boolean[] NONE_LATE = {};

    /** The {@code origins} of a block without known origins. */
    public static final Origin[] NO_ORIGINS = {};

    /** The {@code strings} of a block without string columns. */
    public static final String[] NO_STRINGS = {};

    /** The {@code payloads} of a block whose tokens have none. */
    public static final byte[][] NO_PAYLOADS = RowArrays.NONE;

    private static final Choices.Serializer CHOICES = new Choices.Serializer();

    /** Creates a block of tokens of unknown origin without late tokens. */
    public TokenBlock(
            int lane,
            String[] streams,
            long[] positions,
            long[] timestamps,
            byte[] vectors,
            Choices[] layers) {
        this(
                lane,
                streams,
                positions,
                timestamps,
                NONE_LATE,
                NO_ORIGINS,
                vectors,
                NO_STRINGS,
                NO_PAYLOADS,
                layers);
    }

    /** T, the number of tokens. */
    public int rows() {
        return streams.length;
    }

    /** Returns the same tokens with other vectors. */
    public TokenBlock withVectors(byte[] others) {
        return with(late, others, strings, layers);
    }

    /** Returns the same tokens without the strings of their input columns. */
    public TokenBlock withoutStrings() {
        return strings.length == 0 ? this : with(late, vectors, NO_STRINGS, layers);
    }

    /** Returns the same tokens with the choices of other layers. */
    public TokenBlock withLayers(Choices[] others) {
        return with(late, vectors, strings, others);
    }

    /** Returns the same tokens with other late marks. */
    public TokenBlock withLate(boolean[] flags) {
        return with(flags, vectors, strings, layers);
    }

    private TokenBlock with(boolean[] flags, byte[] rows, String[] texts, Choices[] choices) {
        return new TokenBlock(
                lane,
                streams,
                positions,
                timestamps,
                flags,
                origins,
                rows,
                texts,
                payloads,
                choices);
    }

    /** Whether a token is late. */
    public boolean isLate(int row) {
        return late.length > 0 && late[row];
    }

    /** The origin of a token. */
    public Origin origin(int row) {
        return origins.length > 0 ? origins[row] : Origin.UNKNOWN;
    }

    /** The payload of a token; null if it has none. */
    public byte[] payload(int row) {
        return payloads.length > 0 ? payloads[row] : null;
    }

    /** The number of late tokens. */
    public int numLate() {
        int count = 0;
        for (boolean flag : late) {
            count += flag ? 1 : 0;
        }
        return count;
    }

    /**
     * Returns some of the tokens.
     *
     * @param rows the rows to select, ascending
     * @param width the width of a vector
     */
    public TokenBlock select(int[] rows, int width) {
        if (rows.length == rows()) {
            return this;
        }
        byte[] selected = new byte[rows.length * width * Float.BYTES];
        for (int i = 0; i < rows.length; i++) {
            Floats.copyRow(vectors, rows[i], selected, i, width);
        }
        return select(rows, selected);
    }

    /** Splits the block into blocks of at most {@code maxRows} tokens, in order. */
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

    /**
     * Returns some of the tokens with other vectors.
     *
     * @param rows the rows to select, ascending
     * @param selectedVectors [rows, width], the vectors of these tokens
     */
    public TokenBlock select(int[] rows, byte[] selectedVectors) {
        if (rows.length == rows()) {
            return withVectors(selectedVectors);
        }
        String[] selectedStreams = new String[rows.length];
        long[] selectedPositions = new long[rows.length];
        long[] selectedTimestamps = new long[rows.length];
        boolean[] selectedLate = late.length == 0 ? NONE_LATE : new boolean[rows.length];
        Origin[] selectedOrigins = origins.length == 0 ? NO_ORIGINS : new Origin[rows.length];
        for (int i = 0; i < rows.length; i++) {
            selectedStreams[i] = streams[rows[i]];
            selectedPositions[i] = positions[rows[i]];
            selectedTimestamps[i] = timestamps[rows[i]];
            if (late.length > 0) {
                selectedLate[i] = late[rows[i]];
            }
            if (origins.length > 0) {
                selectedOrigins[i] = origins[rows[i]];
            }
        }
        Choices[] selectedLayers = new Choices[layers.length];
        for (int layer = 0; layer < layers.length; layer++) {
            selectedLayers[layer] = layers[layer].select(rows);
        }
        return new TokenBlock(
                lane,
                selectedStreams,
                selectedPositions,
                selectedTimestamps,
                selectedLate,
                selectedOrigins,
                selectedVectors,
                RowArrays.select(strings, rows(), rows),
                RowArrays.select(payloads, rows(), rows),
                selectedLayers);
    }

    /** Returns the rows that are late, or those that are not, ascending. */
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

    /** The serializer of this record. */
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
            Wire.writeStrings(record.strings, out);
            RowArrays.write(record.payloads, out);
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
            String[] strings = Wire.readStrings(in);
            byte[][] payloads = RowArrays.read(in);
            Choices[] layers = new Choices[in.readInt()];
            for (int layer = 0; layer < layers.length; layer++) {
                layers[layer] = CHOICES.deserialize(in);
            }
            return new TokenBlock(
                    lane,
                    streams,
                    positions,
                    timestamps,
                    late,
                    origins,
                    vectors,
                    strings,
                    payloads,
                    layers);
        }

        @Override
        public TypeSerializerSnapshot<TokenBlock> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<TokenBlock> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
