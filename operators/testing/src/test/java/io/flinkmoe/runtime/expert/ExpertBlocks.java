// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.ExpertHarness;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.configuration.Configuration;

/** What expert tests send and read. */
final class ExpertBlocks {

    /** Rows of a call at most. */
    static final int BATCH = 3;

    private static final int WIDTH = 4;

    private ExpertBlocks() {}

    /** Calls of up to {@link #BATCH} rows that wait 5 ms to fill. */
    static Configuration options(Bundle bundle) {
        return new Configuration()
                .set(MoeOptions.BUNDLE, bundle.directory().toString())
                .set(MoeOptions.EXPERT_BATCH_SIZE, BATCH)
                .set(MoeOptions.EXPERT_BATCH_LINGER, Duration.ofMillis(5));
    }

    static List<Outcome> outcomes(ExpertHarness harness) {
        return harness.extractOutputValues().stream()
                .flatMap(
                        answer ->
                                IntStream.range(0, answer.outcomes().length)
                                        .mapToObj(i -> Outcome.ofCode(answer.outcomes()[i])))
                .toList();
    }

    /** Rows whose values are the number of their choice. */
    static DispatchBlock block(int expert, long batch, int[] choices, long... timestamps) {
        float[] rows = new float[choices.length * WIDTH];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = choices[i / WIDTH];
        }
        return new DispatchBlock(
                expert,
                0,
                batch,
                0,
                choices,
                timestamps,
                Priorities.NONE,
                Vectors.of(Floats.toBytes(rows)));
    }
}
