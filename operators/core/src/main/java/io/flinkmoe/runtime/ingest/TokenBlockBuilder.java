// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.ingest;

import io.flinkmoe.api.Origin;
import io.flinkmoe.api.Token;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/** Collects tokens of one lane into a {@link TokenBlock}. It can be reused after each build. */
@Internal
final class TokenBlockBuilder {

    private static final Choices[] NO_LAYERS = {};

    /** The number of rows that are allocated first. Most lanes of most jobs have few tokens. */
    private static final int FIRST_ROWS = 16;

    private final int lane;
    private final int maxRows;
    private final int width;
    private String[] streams;
    private long[] positions;
    private long[] timestamps;
    private boolean[] late;
    private Origin[] origins;
    private byte[] vectors;
    private int rows;
    private boolean anyLate;
    private boolean anyOrigin;

    /**
     * @param maxRows the number of tokens in a full block
     * @param width the width of a token's values
     */
    TokenBlockBuilder(int lane, int maxRows, int width) {
        this.lane = lane;
        this.maxRows = maxRows;
        this.width = width;
        allocate(Math.min(maxRows, FIRST_ROWS));
    }

    /**
     * Adds a token.
     *
     * @param origin the origin of its record
     * @param isLate whether the token's window is closed
     */
    void add(Token token, Origin origin, boolean isLate) {
        if (rows == streams.length) {
            grow(Math.min(maxRows, 2 * rows));
        }
        streams[rows] = token.stream();
        positions[rows] = token.position();
        timestamps[rows] = token.timestamp();
        late[rows] = isLate;
        anyLate |= isLate;
        origins[rows] = origin;
        anyOrigin |= origin != Origin.UNKNOWN;
        Floats.put(token.values(), 0, vectors, rows * width, width);
        rows++;
    }

    boolean isFull() {
        return rows == maxRows;
    }

    boolean isEmpty() {
        return rows == 0;
    }

    /** Builds a block of all added tokens. A full block takes over the arrays without a copy. */
    TokenBlock build() {
        TokenBlock block;
        boolean[] flags = anyLate ? Arrays.copyOf(late, rows) : TokenBlock.NONE_LATE;
        Origin[] places = anyOrigin ? Arrays.copyOf(origins, rows) : TokenBlock.NO_ORIGINS;
        if (isFull()) {
            block =
                    new TokenBlock(
                            lane,
                            streams,
                            positions,
                            timestamps,
                            flags,
                            places,
                            vectors,
                            NO_LAYERS);
            allocate(maxRows); // A lane that has filled one block is likely to fill the next.
        } else {
            block =
                    new TokenBlock(
                            lane,
                            Arrays.copyOf(streams, rows),
                            Arrays.copyOf(positions, rows),
                            Arrays.copyOf(timestamps, rows),
                            flags,
                            places,
                            Arrays.copyOf(vectors, rows * width * Float.BYTES),
                            NO_LAYERS);
            if (streams.length > FIRST_ROWS && rows < streams.length / 4) {
                allocate(FIRST_ROWS); // The lane has few tokens now.
            }
        }
        rows = 0;
        anyLate = false;
        anyOrigin = false;
        return block;
    }

    private void allocate(int size) {
        streams = new String[size];
        positions = new long[size];
        timestamps = new long[size];
        late = new boolean[size];
        origins = new Origin[size];
        vectors = new byte[size * width * Float.BYTES];
    }

    private void grow(int size) {
        streams = Arrays.copyOf(streams, size);
        positions = Arrays.copyOf(positions, size);
        timestamps = Arrays.copyOf(timestamps, size);
        late = Arrays.copyOf(late, size);
        origins = Arrays.copyOf(origins, size);
        vectors = Arrays.copyOf(vectors, size * width * Float.BYTES);
    }
}
