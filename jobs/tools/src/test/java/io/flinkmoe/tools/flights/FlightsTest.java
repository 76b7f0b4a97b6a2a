// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flights;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Token;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.tensor.SafetensorsFile;
import io.flinkmoe.tools.Home;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;
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
    void typedTokensHaveTheFeaturesAsColumns() throws Exception {
        InputLayout inputs =
                new InputLayout(
                        List.of(
                                new InputSpec("origin", ColumnType.INT64, null),
                                new InputSpec("destination", ColumnType.INT64, null),
                                new InputSpec("numeric", ColumnType.FLOAT, 8)),
                        List.of());
        Flights flights = Flights.read(Home.FLIGHTS, 100);

        List<Token> typed = flights.typedTokens(inputs);

        assertThat(typed).hasSize(100);
        for (Token token : typed) {
            Token vector = flights.tokens().get((int) token.position());
            assertThat(token.stream()).isEqualTo(vector.stream());
            assertThat(token.timestamp()).isEqualTo(vector.timestamp());
            assertThat(token.inputs().problem()).isNull();
            assertThat(token.inputs().get("numeric")).isEqualTo(Arrays.copyOf(vector.values(), 8));
            assertThat(token.inputs().get("origin")).isEqualTo((long) vector.values()[8]);
            assertThat(token.inputs().get("destination")).isEqualTo((long) vector.values()[9]);
        }
    }

    @Test
    void tasksIncludeTheirLimit() {
        IntPredicate late = FlightTask.late("late60", 60).isPositive();
        IntPredicate early = FlightTask.early("early", 5).isPositive();

        assertThat(new boolean[] {late.test(59), late.test(60)}).containsExactly(false, true);
        assertThat(new boolean[] {early.test(-4), early.test(-5), early.test(5)})
                .containsExactly(false, true, false);
    }

    @Test
    void flightIsLateFromFifteenMinutesOn() throws Exception {
        boolean[] late = Flights.read(Home.FLIGHTS, 4).late();

        assertThat(late).containsExactly(true, true, false, false);
    }
}
