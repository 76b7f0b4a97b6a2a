// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.ExpertHarness;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.flink.configuration.Configuration;

/** What expert tests send and read. */
final class ExpertBlocks {

    /** The number of experts, and the width of a row. */
    static final int N = 4;

    /** The largest number of rows of a call. */
    static final int BATCH = 3;

    private ExpertBlocks() {}

    /** Calls of up to {@link #BATCH} rows that wait 5 ms to fill. */
    static Configuration options(Bundle bundle) {
        return new Configuration()
                .set(MoeOptions.BUNDLE, bundle.directory().toString())
                .set(MoeOptions.EXPERT_BATCH_SIZE, BATCH)
                .set(MoeOptions.EXPERT_BATCH_LINGER, Duration.ofMillis(5));
    }

    /** Rows of lane 0 whose values are the number of their choice. */
    static ExpertRows rows(int expert, long batch, int... choices) {
        return wideRows(expert, batch, N, choices);
    }

    /** The same with another width. */
    static ExpertRows wideRows(int expert, long batch, int width, int... choices) {
        float[] values = new float[choices.length * width];
        for (int row = 0; row < choices.length; row++) {
            Arrays.fill(values, row * width, (row + 1) * width, choices[row]);
        }
        return new ExpertRows(expert, 0, batch, choices, Vectors.of(Floats.toBytes(values)));
    }

    /** The outcomes in the order in which they were emitted. */
    static List<Outcome> outcomes(ExpertHarness harness) {
        return harness.extractOutputValues().stream()
                .flatMap(
                        result ->
                                IntStream.range(0, result.outcomes().length)
                                        .mapToObj(i -> Outcome.ofCode(result.outcomes()[i])))
                .toList();
    }

    /**
     * The first value of the output of every choice. All must be executed, once.
     *
     * @param width the width of a row
     */
    static Map<Integer, Float> outputs(ExpertHarness harness, int width) {
        Map<Integer, Float> outputs = new TreeMap<>();
        for (ContributionBlock result : harness.extractOutputValues()) {
            float[] values = Floats.toFloats(result.vectors().toBytes());
            for (int row = 0; row < result.choices().length; row++) {
                if (outputs.put(result.choices()[row], values[row * width]) != null) {
                    throw new AssertionError("executed twice: choice " + result.choices()[row]);
                }
            }
        }
        return outputs;
    }
}
