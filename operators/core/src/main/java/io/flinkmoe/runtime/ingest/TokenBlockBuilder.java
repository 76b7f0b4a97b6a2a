package io.flinkmoe.runtime.ingest;

import io.flinkmoe.api.Origin;
import io.flinkmoe.api.Token;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/** Gathers tokens of one lane into a {@link TokenBlock}; can be used again after each build. */
@Internal
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
    private boolean[] late;
    private Origin[] origins;
    private byte[] vectors;
    private int rows;
    private boolean anyLate;
    private boolean anyOrigin;

    TokenBlockBuilder(int lane, int capacity, int width) {
        this.lane = lane;
        this.capacity = capacity;
        this.width = width;
        allocate(Math.min(capacity, FIRST_ROWS));
    }

    /**
     * @param origin where the token came from
     * @param isLate whether the token's window is closed
     */
    void add(Token token, Origin origin, boolean isLate) {
        if (rows == streams.length) {
            grow(Math.min(capacity, 2 * rows));
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
        return rows == capacity;
    }

    boolean isEmpty() {
        return rows == 0;
    }

    /** The block of all tokens added; a full one takes the arrays along, without a copy. */
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
            allocate(capacity); // A lane that has filled one block will fill the next.
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
                allocate(FIRST_ROWS); // It has become quiet.
            }
        }
        rows = 0;
        anyLate = false;
        anyOrigin = false;
        return block;
    }

    private void allocate(int room) {
        streams = new String[room];
        positions = new long[room];
        timestamps = new long[room];
        late = new boolean[room];
        origins = new Origin[room];
        vectors = new byte[room * width * Float.BYTES];
    }

    private void grow(int room) {
        streams = Arrays.copyOf(streams, room);
        positions = Arrays.copyOf(positions, room);
        timestamps = Arrays.copyOf(timestamps, room);
        late = Arrays.copyOf(late, room);
        origins = Arrays.copyOf(origins, room);
        vectors = Arrays.copyOf(vectors, room * width * Float.BYTES);
    }
}
