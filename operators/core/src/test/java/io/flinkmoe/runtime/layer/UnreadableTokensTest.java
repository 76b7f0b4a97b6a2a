// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.onnxruntime.OrtException;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Origin;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Token;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.tensor.Floats;
import org.apache.flink.util.FlinkException;
import org.junit.jupiter.api.Test;

class UnreadableTokensTest {

    private static final OrtException CAUSE = new OrtException("no such category");
    private static final Token TOKEN = new Token("s", 7, 8, new float[] {9});

    private static final Origin ORIGIN = new Origin("tokens", 3, 42);
    private static final TokenBlock BLOCK =
            new TokenBlock(
                    0,
                    new String[] {TOKEN.stream()},
                    new long[] {TOKEN.position()},
                    new long[] {TOKEN.timestamp()},
                    TokenBlock.NONE_LATE,
                    new Origin[] {ORIGIN},
                    Floats.toBytes(TOKEN.values()),
                    TokenBlock.NO_STRINGS,
                    TokenBlock.NO_PAYLOADS,
                    new Choices[0]);

    private boolean zerosAreRead;

    private UnreadableTokens tokens(int layer) {
        return new UnreadableTokens(
                layer,
                InputLayout.vector(1),
                "v1",
                () -> {
                    if (!zerosAreRead) {
                        throw CAUSE;
                    }
                });
    }

    @Test
    void areGivenOnceWithWhatTheyWere() throws Exception {
        UnreadableTokens tokens = tokens(0);
        tokens.add(BLOCK, CAUSE);

        DeadLetter letter = tokens.take().get(0);

        assertThat(letter.token()).isEqualTo(TOKEN);
        assertThat(letter.origin()).isEqualTo(ORIGIN);
        assertThat(letter.rejection().kind()).isEqualTo(Rejection.Kind.MODEL);
        assertThat(letter.reason())
                .isEqualTo("the model cannot read position 7 of stream s: no such category");
        assertThat(tokens.take()).isEmpty();
    }

    /** Else somebody would feed them to the model again. */
    @Test
    void ofALaterLayerHaveNoHiddenVectorForValues() throws Exception {
        UnreadableTokens tokens = tokens(2);
        tokens.add(BLOCK, CAUSE);

        DeadLetter letter = tokens.take().get(0);

        assertThat(letter.token().stream()).isEqualTo("s");
        assertThat(letter.token().position()).isEqualTo(7);
        assertThat(letter.token().timestamp()).isEqualTo(8);
        assertThat(letter.token().values()).isEmpty();
        assertThat(letter.origin()).isEqualTo(ORIGIN);
        assertThat(letter.reason())
                .isEqualTo(
                        "layer 2 cannot read position 7 of stream s (its input values are no longer known): no such category");
    }

    @Test
    void failTheJobWhereTheModelsReadNothingAtAll() throws Exception {
        UnreadableTokens tokens = tokens(1);
        reject(tokens, 999);
        assertThatThrownBy(() -> reject(tokens, 1))
                .isInstanceOf(FlinkException.class)
                .hasMessageStartingWith("layer 1 (model version v1): ")
                .hasMessageEndingWith(
                        "fails on every input, the first 1000 tokens and zeros: no such category");
    }

    @Test
    void neverFailTheJobOnceATokenOrZerosAreRead() throws Exception {
        UnreadableTokens tokens = tokens(0);
        tokens.markReadable();
        reject(tokens, 2_000);

        zerosAreRead = true;
        UnreadableTokens others = tokens(0);
        reject(others, 1_000);
        zerosAreRead = false;
        reject(others, 2_000);
    }

    private static void reject(UnreadableTokens tokens, int count) throws FlinkException {
        for (int i = 0; i < count; i++) {
            tokens.add(BLOCK, CAUSE);
            assertThat(tokens.take()).hasSize(1);
        }
    }
}
