// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.testing.Flights;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReferenceModelTest {

    @TempDir private Path directory;

    @Test
    void answersTheFlightsAsTheTrainedModelDid() throws Exception {
        Flights flights = Flights.load();
        try (ReferenceModel model =
                ReferenceModel.open(Flights.importBundle(directory.resolve("bundle")))) {
            ReferenceModel.Result result = model.forward(flights.features(), flights.count());

            LayerResult layer = result.layers().get(0);
            for (int row = 0; row < flights.count(); row++) {
                assertThat(result.out()[row])
                        .as("probability of event %d", row)
                        .isCloseTo(flights.probabilities()[row], within(1e-5f));
                for (int choice = row * 2; choice < row * 2 + 2; choice++) {
                    assertThat(layer.outcomes()[choice]).isEqualTo(Outcome.EXECUTED.code());
                    if (row != Flights.UNDECIDED) {
                        assertThat(layer.experts()[choice])
                                .as("choice %d", choice)
                                .isEqualTo(flights.experts()[choice]);
                        assertThat(layer.weights()[choice])
                                .isCloseTo(flights.weights()[choice], within(1e-5f));
                    }
                }
            }
            for (int i = 0; i < layer.logits().length; i++) {
                assertThat(layer.logits()[i]).isCloseTo(flights.logits()[i], within(1e-4f));
            }
        }
    }

    @Test
    void givesEachRowTheSameBitsAlone() throws Exception {
        Flights flights = Flights.load();
        try (ReferenceModel model =
                ReferenceModel.open(Flights.importBundle(directory.resolve("bundle")))) {
            float[] together = model.forward(flights.features(), flights.count()).out();
            float[] row = new float[Flights.WIDTH];
            for (int i = 0; i < 2_000; i++) {
                System.arraycopy(flights.features(), i * row.length, row, 0, row.length);
                assertThat(Float.floatToRawIntBits(model.forward(row, 1).out()[0]))
                        .as("event %d", i)
                        .isEqualTo(Float.floatToRawIntBits(together[i]));
            }
        }
    }
}
