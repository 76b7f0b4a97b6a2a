// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.ingest;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Origin;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.TokenCheck;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.tensor.Floats;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenBlockBuilderTest {

    private static final int WIDTH = 2;

    @ParameterizedTest
    @ValueSource(ints = {1, 5, 8, 16, 17, 100, 256})
    void blocksHoldWhatWasAddedWhetherBusyOrQuiet(int capacity) {
        TokenBlockBuilder builder = new TokenBlockBuilder(3, capacity, InputLayout.vector(WIDTH));
        long next = 0;
        for (int rows : new int[] {capacity, 1, capacity, capacity / 2, 1, 1, capacity}) {
            if (rows == 0) {
                continue;
            }
            for (int row = 0; row < rows; row++) {
                float[] values = {next + row, -1};
                Token token = new Token("s" + (next + row), next + row, 0, values);
                builder.add(token, origin(next + row), false);
            }
            assertThat(builder.isFull()).isEqualTo(rows == capacity);

            TokenBlock block = builder.build();

            assertThat(builder.isEmpty()).isTrue();
            assertThat(block.rows()).isEqualTo(rows);
            assertThat(block.timestamps()).hasSize(rows);
            float[] vectors = Floats.toFloats(block.vectors());
            assertThat(vectors).hasSize(rows * WIDTH);
            for (int row = 0; row < rows; row++) {
                assertThat(block.streams()[row]).isEqualTo("s" + (next + row));
                assertThat(block.positions()[row]).isEqualTo(next + row);
                assertThat(vectors[row * WIDTH]).isEqualTo(next + row);
                assertThat(block.origin(row)).isEqualTo(origin(next + row));
            }
            next += rows;
        }
    }

    @Test
    void aBlockWithoutOriginsHasNoArrayOfThem() {
        TokenBlockBuilder builder = new TokenBlockBuilder(0, 2, InputLayout.vector(WIDTH));
        Token token = new Token("s", 0, 0, new float[WIDTH]);
        builder.add(token, new Origin("t", 0, 7), false);
        assertThat(builder.build().origins()).hasSize(1);

        builder.add(token, Origin.UNKNOWN, false);

        assertThat(builder.build().origins()).isEmpty();
    }

    @Test
    void aBlockIsFullOfPayloadsToo() {
        TokenBlockBuilder builder = new TokenBlockBuilder(0, 8, InputLayout.vector(WIDTH));
        Token token = new Token("s", 0, 0, new float[WIDTH]);
        builder.add(token, Origin.UNKNOWN, false);
        assertThat(builder.build().payloads()).isEmpty();

        byte[] half = new byte[TokenCheck.MAX_PAYLOAD_BYTES / 2];
        builder.add(token.withPayload(half), Origin.UNKNOWN, false);
        builder.add(token, Origin.UNKNOWN, false);
        assertThat(builder.isFull()).isFalse();
        builder.add(token.withPayload(half), Origin.UNKNOWN, false);
        assertThat(builder.isFull()).isTrue();
        TokenBlock block = builder.build();

        assertThat(block.payload(0)).isSameAs(half);
        assertThat(block.payload(1)).isNull();
        assertThat(block.select(new int[] {1, 2}, WIDTH).payload(1)).isSameAs(half);
        builder.add(token, Origin.UNKNOWN, false);
        assertThat(builder.build().payload(0)).isNull();
    }

    /** Every fifth token comes from elsewhere. */
    private static Origin origin(long position) {
        return position % 5 == 0 ? Origin.UNKNOWN : new Origin("t" + position % 2, 3, position);
    }
}
