// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flights;

import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/** The expected answers of the flights model, computed by the program that trained it. */
@Internal
public final class ExpectedFlights implements ExpectedAnswers {

    /** Two logits of this flight differ by 2.4e-7, so either expert is correct. */
    private static final int UNDECIDED_EVENT = 23251;

    private final float[] probability;
    private final int[] experts;
    private final int k;

    private ExpectedFlights(float[] probability, int[] experts) {
        this.probability = probability;
        this.experts = experts;
        this.k = experts.length / probability.length;
    }

    /** Reads {@code flights.expected.safetensors}. */
    public static ExpectedFlights read(Path folder) throws IOException {
        try (SafetensorsFile file =
                SafetensorsFile.open(folder.resolve("flights.expected.safetensors"))) {
            return new ExpectedFlights(file.floats("probability"), file.ints("experts"));
        }
    }

    public float probability(int position) {
        return probability[position];
    }

    /** The k experts of a token, in order of rank. */
    public int[] experts(int position) {
        return Arrays.copyOfRange(experts, position * k, (position + 1) * k);
    }

    @Override
    public int size() {
        return probability.length;
    }

    @Override
    public float[] probabilities(int position) {
        return new float[] {probability[position]};
    }

    @Override
    public boolean areExperts(int position, int[] found) {
        return Arrays.equals(found, experts(position));
    }

    @Override
    public boolean isUndecided(int position) {
        return position == UNDECIDED_EVENT;
    }
}
