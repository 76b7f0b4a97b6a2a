package io.flinkmoe.stream;

import io.flinkmoe.tensor.Floats;
import java.util.Arrays;

/** Gathers tokens of one lane into a {@link TokenBlock}; can be used again after each build. */
final class TokenBlockBuilder {

    private static final Choices[] NO_LAYERS = {};

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
        allocate();
    }

    void add(Token token) {
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
            allocate();
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

    private void allocate() {
        streams = new String[capacity];
        positions = new long[capacity];
        timestamps = new long[capacity];
        vectors = new byte[capacity * width * Float.BYTES];
    }
}
