// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.column.InputLayout;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenCheckTest {

    private static final long MOST = 1L << 61;

    @Test
    void aPayloadHasALimit() {
        Token token = new Token("a", 0, 0, new float[] {0, 0});

        assertThat(reason(token.withPayload(new byte[TokenCheck.MAX_PAYLOAD_BYTES]))).isNull();
        assertThat(reason(token.withPayload(new byte[TokenCheck.MAX_PAYLOAD_BYTES + 1])))
                .isEqualTo("the payload has 262145 bytes; allowed: up to 262144");
    }

    @Test
    void takesAGoodToken() {
        assertThat(reason(new Token("a", -5, 0, new float[] {0, -Float.MAX_VALUE}))).isNull();
        assertThat(reason(new Token("", 0, -1, new float[] {-0f, Float.MIN_VALUE}))).isNull();
    }

    @Test
    void refusesATokenWithoutAStream() {
        assertThat(reason(new Token(null, 0, 0, new float[2]))).isEqualTo("stream is null");
    }

    @Test
    void refusesAStreamThatNoMessageShouldHaveForAKey() {
        String longest = "é".repeat(1024);
        assertThat(reason(new Token(longest, 0, 0, new float[2]))).isNull();
        assertThat(reason(new Token(longest + "a", 0, 0, new float[2])))
                .isEqualTo("stream has 1025 characters; allowed: up to 1024");
    }

    @Test
    void refusesATokenWithoutValues() {
        assertThat(reason(new Token("a", 0, 0, null))).isEqualTo("values is null");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 3})
    void refusesAnotherWidth(int width) {
        assertThat(reason(new Token("a", 0, 0, new float[width])))
                .isEqualTo("values has %d entries; the model takes 2".formatted(width));
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void refusesAValueThatIsNotFiniteAndNamesIt(float bad) {
        assertThat(reason(new Token("a", 0, 0, new float[] {1, bad})))
                .isEqualTo("values[1] is %s; only finite values are allowed".formatted(bad));
        assertThat(reason(new Token("a", 0, 0, new float[] {bad, bad}))).startsWith("values[0]");
    }

    @ParameterizedTest
    @ValueSource(longs = {MOST + 1, -MOST - 1, Long.MAX_VALUE, Long.MIN_VALUE})
    void refusesATimestampThatLeavesNoRoomForWindows(long timestamp) {
        assertThat(reason(new Token("a", 0, timestamp, new float[2])))
                .isEqualTo("timestamp is %d; allowed: -2^61 to 2^61 ms".formatted(timestamp));
    }

    @ParameterizedTest
    @ValueSource(longs = {MOST, -MOST})
    void takesTheOutermostTimestamps(long timestamp) {
        assertThat(reason(new Token("a", 0, timestamp, new float[2]))).isNull();
    }

    private static String reason(Token token) {
        Rejection rejection = TokenCheck.reasonToReject(token, InputLayout.vector(2));
        return rejection == null ? null : rejection.reason();
    }
}
