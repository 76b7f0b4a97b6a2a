package io.flinkmoe.stream;

import io.flinkmoe.tensor.Floats;
import java.util.Arrays;

/** Gathers tokens of one lane into a {@link TokenBlock}; can be used again after each build. */
final class TokenBlockBuilder {

    private static final Choices[] NO_LAYERS = {};

    /** Most lanes of most jobs are quiet; a block's room is not taken before it is needed. */
    private static final int FIRST_ROWS = 16;

    private final int lane;
    private final int capacity;
    private final int width;
    private String[] streams;
    private long[] positions;
    private long[] timestamps;
    private byte[] vectors;
    private int rows;

    TokenBlockBuilder(int lane, int capacity, int width) {
        this.lane = lane;
        this.capacity = capacity;
        this.width = width;
        allocate(Math.min(capacity, FIRST_ROWS));
    }

    void add(Token token) {
        if (rows == streams.length) {
            grow(Math.min(capacity, 2 * rows));
        }
        streams[rows] = token.stream();
        positions[rows] = token.position();
        timestamps[rows] = token.timestamp();
        Floats.put(token.values(), 0, vectors, rows * width, width);
        rows++;
    }

    boolean isFull() {
        return rows == capacity;
    }

    boolean isEmpty() {
        return rows == 0;
    }

    /** The block of all tokens added; a full one takes the arrays along, without a copy. */
    TokenBlock build() {
        TokenBlock block;
        if (isFull()) {
            block = new TokenBlock(lane, streams, positions, timestamps, vectors, NO_LAYERS);
            allocate(capacity); // A lane that has filled one block will fill the next.
        } else {
            block =
                    new TokenBlock(
                            lane,
                            Arrays.copyOf(streams, rows),
                            Arrays.copyOf(positions, rows),
                            Arrays.copyOf(timestamps, rows),
                            Arrays.copyOf(vectors, rows * width * Float.BYTES),
                            NO_LAYERS);
        }
        rows = 0;
        return block;
    }

    private void allocate(int room) {
        streams = new String[room];
        positions = new long[room];
        timestamps = new long[room];
        vectors = new byte[room * width * Float.BYTES];
    }

    private void grow(int room) {
        streams = Arrays.copyOf(streams, room);
        positions = Arrays.copyOf(positions, room);
        timestamps = Arrays.copyOf(timestamps, room);
        vectors = Arrays.copyOf(vectors, room * width * Float.BYTES);
    }
}
