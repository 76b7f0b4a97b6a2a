// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Token;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.flights.Flights;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class DrillStreamTest {

    private static List<Token> flights;

    @BeforeAll
    static void read() throws Exception {
        flights = Flights.read(Home.FLIGHTS, Integer.MAX_VALUE).tokens();
    }

    @Test
    void goesOnBeyondTheFlightsAndSendsEachOnce() {
        List<Token> tokens = take(flights.size() + 10_000);

        assertThat(tokens).extracting(Token::position).doesNotHaveDuplicates();
        assertThat(tokens).extracting(Token::position).anyMatch(p -> p > flights.size());
        assertThat(tokens.get(tokens.size() - 1).timestamp())
                .isGreaterThan(flights.get(flights.size() - 1).timestamp());
    }

    @Test
    void isAlwaysTheSame() {
        assertThat(take(10_000))
                .extracting(Token::position)
                .isEqualTo(take(10_000).stream().map(Token::position).toList());
    }

    @Test
    void hasTokensOutOfOrderAndTokensTooLate() {
        long newest = Long.MIN_VALUE;
        int outOfOrder = 0;
        int late = 0;
        long mostBehind = DrillStream.WINDOW.plus(DrillStream.MAX_OUT_OF_ORDERNESS).toMillis();
        for (Token token : take(40_000)) {
            long behind = newest - token.timestamp();
            outOfOrder += newest > Long.MIN_VALUE && behind > 0 ? 1 : 0;
            late += newest > Long.MIN_VALUE && behind > mostBehind ? 1 : 0;
            newest = Math.max(newest, token.timestamp());
        }

        assertThat(late).isBetween(300, 450);
        assertThat(outOfOrder - late).isGreaterThan(1_000);
    }

    private static List<Token> take(int count) {
        DrillStream stream = new DrillStream(flights);
        List<Token> tokens = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            tokens.add(stream.next());
        }
        return tokens;
    }
}
