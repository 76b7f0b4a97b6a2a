// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.column.InputRows;
import io.flinkmoe.config.Draws;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.flights.ExpectedAnswers;
import io.flinkmoe.tools.flights.FlightTask;
import io.flinkmoe.tools.flights.Flights;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DelayModelTest {

    private static final int FLIGHTS = 2000;
    private static final double TOLERANCE = 1e-5;

    @TempDir private Path folder;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void answersAreThoseOfTheProgramThatTrainedIt(boolean isDense) throws Exception {
        DemoModel delay = new DelayModel(Home.DELAY, isDense);
        ExpectedAnswers expected = delay.expected();
        Bundle bundle = delay.importBundle(folder.resolve("bundle"));
        List<Token> tokens = delay.tokens(Flights.read(Home.FLIGHTS, FLIGHTS), bundle);

        ReferenceModel.Result result = forward(bundle, tokens);

        assertThat(expected.size()).isEqualTo(FLIGHTS);
        assertThat(delay.tasks())
                .extracting(FlightTask::name)
                .containsExactly("late15", "late60", "early");
        for (int flight = 0; flight < FLIGHTS; flight++) {
            for (int task = 0; task < 3; task++) {
                double found =
                        (Float) result.outputs().row(flight).get(delay.tasks().get(task).name());
                assertThat(Math.abs(found - expected.probabilities(flight)[task]))
                        .isLessThanOrEqualTo(TOLERANCE);
            }
            assertThat(expected.areExperts(flight, union(result.layers().get(0), flight))).isTrue();
        }
    }

    private static ReferenceModel.Result forward(Bundle bundle, List<Token> tokens)
            throws Exception {
        InputRows x =
                InputRows.of(
                        bundle.spec().inputLayout(), tokens.stream().map(Token::inputs).toList());
        try (ReferenceModel model = ReferenceModel.open(bundle)) {
            return model.forward(x, TokenMetadata.ofRows(tokens.size()), Draws.NONE);
        }
    }

    private static int[] union(LayerResult layer, int token) {
        int k = layer.experts().length / FLIGHTS;
        return IntStream.range(token * k, (token + 1) * k)
                .map(choice -> layer.experts()[choice])
                .filter(expert -> expert >= 0)
                .toArray();
    }
}
