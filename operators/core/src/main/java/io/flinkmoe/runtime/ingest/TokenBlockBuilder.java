// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.ingest;

import io.flinkmoe.api.Origin;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.TokenCheck;
import io.flinkmoe.column.InputLayout;
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

    /** A block with so many characters of strings is full. */
    private static final int MAX_CHARS = 1 << 19;

    /** A block with so many bytes of payloads is full. */
    private static final int MAX_PAYLOAD_BYTES = TokenCheck.MAX_PAYLOAD_BYTES;

    private final int lane;
    private final int maxRows;
    private final InputLayout inputs;
    private final int width;
    private final int stringsOfToken;
    private String[] streams;
    private long[] positions;
    private long[] timestamps;
    private boolean[] late;
    private Origin[] origins;
    private byte[] vectors;
    private String[] strings;
    private byte[][] payloads;
    private int chars;
    private int payloadBytes;
    private int rows;
    private boolean anyLate;
    private boolean anyOrigin;

    /**
     * @param maxRows the number of tokens in a full block
     * @param inputs the model's inputs
     */
    TokenBlockBuilder(int lane, int maxRows, InputLayout inputs) {
        this.lane = lane;
        this.maxRows = maxRows;
        this.inputs = inputs;
        this.width = inputs.words();
        this.stringsOfToken = inputs.strings();
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
        if (token.inputs() == null) {
            Floats.put(token.values(), 0, vectors, rows * width, width);
        } else {
            inputs.put(token.inputs(), vectors, strings, rows);
            countChars();
        }
        payloads[rows] = token.payload();
        payloadBytes += token.payload() == null ? 0 : Math.max(1, token.payload().length);
        rows++;
    }

    private void countChars() {
        for (int i = rows * stringsOfToken; i < (rows + 1) * stringsOfToken; i++) {
            chars += strings[i].length();
        }
    }

    boolean isFull() {
        return rows == maxRows || chars >= MAX_CHARS || payloadBytes >= MAX_PAYLOAD_BYTES;
    }

    int rows() {
        return rows;
    }

    boolean isEmpty() {
        return rows == 0;
    }

    /** Builds a block of all added tokens. A full block takes over the arrays without a copy. */
    TokenBlock build() {
        boolean takesOver = rows == streams.length;
        TokenBlock block =
                new TokenBlock(
                        lane,
                        takesOver ? streams : Arrays.copyOf(streams, rows),
                        takesOver ? positions : Arrays.copyOf(positions, rows),
                        takesOver ? timestamps : Arrays.copyOf(timestamps, rows),
                        anyLate ? Arrays.copyOf(late, rows) : TokenBlock.NONE_LATE,
                        anyOrigin ? Arrays.copyOf(origins, rows) : TokenBlock.NO_ORIGINS,
                        takesOver ? vectors : Arrays.copyOf(vectors, rows * width * Float.BYTES),
                        takesOver ? strings : Arrays.copyOf(strings, rows * stringsOfToken),
                        payloadBytes > 0 ? Arrays.copyOf(payloads, rows) : TokenBlock.NO_PAYLOADS,
                        NO_LAYERS);
        if (rows == maxRows) {
            allocate(maxRows); // A lane that has filled one block is likely to fill the next.
        } else if (takesOver || streams.length > FIRST_ROWS && rows < streams.length / 4) {
            allocate(Math.min(maxRows, FIRST_ROWS)); // The lane has few tokens now.
        }
        rows = 0;
        chars = 0;
        payloadBytes = 0;
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
        strings = new String[size * stringsOfToken];
        payloads = new byte[size][];
    }

    private void grow(int size) {
        streams = Arrays.copyOf(streams, size);
        positions = Arrays.copyOf(positions, size);
        timestamps = Arrays.copyOf(timestamps, size);
        late = Arrays.copyOf(late, size);
        origins = Arrays.copyOf(origins, size);
        vectors = Arrays.copyOf(vectors, size * width * Float.BYTES);
        strings = Arrays.copyOf(strings, size * stringsOfToken);
        payloads = Arrays.copyOf(payloads, size);
    }
}
