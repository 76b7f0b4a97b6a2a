// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flights;

import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/**
 * The expected answers of the delay model for the first flights. A flight goes to the union of the
 * experts that its gates chose. None of these flights is undecided.
 */
@Internal
public final class ExpectedDelays implements ExpectedAnswers {

    /** Of the delay model, N. */
    private static final int NUM_EXPERTS = 6;

    private final float[][] probabilities;
    private final int[][] unions;

    private ExpectedDelays(float[][] probabilities, int[][] unions) {
        this.probabilities = probabilities;
        this.unions = unions;
    }

    /**
     * Reads {@code expected.safetensors}.
     *
     * @param isDense whether the gates are dense; otherwise each chooses two experts
     */
    public static ExpectedDelays read(Path folder, boolean isDense) throws IOException {
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("expected.safetensors"))) {
            String name = isDense ? "dense.probability" : "sparse.probability";
            int flights = (int) file.shape(name)[0];
            float[] probabilities = file.floats(name);
            int[] chosen = isDense ? everyExpert(flights) : file.ints("sparse.experts");
            float[][] byFlight = new float[flights][];
            int[][] unions = new int[flights][];
            int tasks = probabilities.length / flights;
            int choices = chosen.length / flights;
            for (int i = 0; i < flights; i++) {
                byFlight[i] = Arrays.copyOfRange(probabilities, i * tasks, (i + 1) * tasks);
                unions[i] =
                        Arrays.stream(chosen, i * choices, (i + 1) * choices)
                                .distinct()
                                .sorted()
                                .toArray();
            }
            return new ExpectedDelays(byFlight, unions);
        }
    }

    private static int[] everyExpert(int flights) {
        return IntStream.range(0, flights * NUM_EXPERTS).map(i -> i % NUM_EXPERTS).toArray();
    }

    @Override
    public int size() {
        return unions.length;
    }

    @Override
    public float[] probabilities(int position) {
        return probabilities[position];
    }

    @Override
    public boolean areExperts(int position, int[] experts) {
        return Arrays.equals(unions[position], Arrays.stream(experts).sorted().toArray());
    }

    @Override
    public boolean isUndecided(int position) {
        return false;
    }
}
