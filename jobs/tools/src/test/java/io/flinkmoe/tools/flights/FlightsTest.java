// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flights;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Token;
import io.flinkmoe.tensor.SafetensorsFile;
import io.flinkmoe.tools.Home;
import java.time.Instant;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class FlightsTest {

    @Test
    void featuresHaveTheBitsThatTheModelWasTrainedOn() throws Exception {
        Flights flights = Flights.read(Home.FLIGHTS, Integer.MAX_VALUE);
        float[] expected;
        try (SafetensorsFile file =
                SafetensorsFile.open(Home.FLIGHTS.resolve("flights.expected.safetensors"))) {
            expected = file.floats("features");
        }

        assertThat(flights.tokens()).hasSize(48_836);
        assertThat(flights.tokens())
                .allSatisfy(
                        token -> {
                            int from = 10 * (int) token.position();
                            assertThat(token.values())
                                    .isEqualTo(Arrays.copyOfRange(expected, from, from + 10));
                        });
    }

    @Test
    void tokensAreNumberedByLineAndComeInOrderOfTime() throws Exception {
        Flights flights = Flights.read(Home.FLIGHTS, 1000);

        Token first = flights.tokens().get(0);
        assertThat(first.stream()).isEqualTo("LAS");
        assertThat(first.timestamp())
                .isEqualTo(Instant.parse("2001-06-01T00:00:00Z").toEpochMilli());
        assertThat(flights.tokens()).extracting(Token::timestamp).isSorted();
        for (int i = 0; i < 1000; i++) {
            assertThat(flights.tokens().get(i).position()).isEqualTo(i);
        }
    }

    @Test
    void flightIsLateFromFifteenMinutesOn() throws Exception {
        boolean[] late = Flights.read(Home.FLIGHTS, 4).late();

        assertThat(late).containsExactly(true, true, false, false);
    }
}
