// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import static io.flinkmoe.testing.MoeAssertions.assertThat;

import io.flinkmoe.api.Token;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class TestTokensTest {

    @Test
    void countPositionsAndTimestampsUp() {
        List<Token> tokens = TestTokens.of("card-1", 3, 4);

        assertThat(tokens).extracting(Token::stream).containsOnly("card-1");
        assertThat(tokens).extracting(Token::position).containsExactly(0L, 1L, 2L);
        assertThat(tokens).extracting(Token::timestamp).containsExactly(0L, 1_000L, 2_000L);
        assertThat(tokens).allSatisfy(token -> assertThat(token.values()).hasSize(4));
    }

    @Test
    void areTheSameForTheSameStream() {
        assertThat(TestTokens.of("a", 5, 2)).isEqualTo(TestTokens.of("a", 5, 2));
        assertThat(TestTokens.of("a", 1, 2).get(0).values())
                .isNotEqualTo(TestTokens.of("b", 1, 2).get(0).values());
        assertThat(TestTokens.stream("a").seed(1).random(2, 2))
                .isEqualTo(TestTokens.stream("a").seed(1).random(2, 2));
    }

    @Test
    void goOnFromWhereTheTestSays() {
        TestTokens stream =
                TestTokens.stream("a").position(7).timestamp(60_000).every(Duration.ofMillis(5));

        assertThat(stream.next(1, 2)).isEqualTo(new Token("a", 7, 60_000, new float[] {1, 2}));
        assertThat(stream.next(3)).isEqualTo(new Token("a", 8, 60_005, new float[] {3}));
    }
}
