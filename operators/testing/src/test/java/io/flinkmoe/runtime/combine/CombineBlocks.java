// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.combine;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.CombineHarness;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.configuration.Configuration;

/** What combine tests send: two choices per token, vectors of two elements, four lanes. */
final class CombineBlocks {

    static final int D = 2;
    static final int K = 2;

    private CombineBlocks() {}

    static Configuration options(Bundle bundle) {
        return new Configuration()
                .set(MoeOptions.BUNDLE, bundle.directory().toString())
                .set(MoeOptions.LANES, 4);
    }

    /** Sends tokens that ask two experts each. @param streams stream, timestamp, stream, … */
    static void residual(
            CombineHarness harness,
            int lane,
            long batch,
            float weight,
            float[] vectors,
            Object... streams)
            throws Exception {
        TokenBlock tokens = tokens(lane, vectors, streams);
        float[] weights = new float[tokens.rows() * K];
        byte[] outcomes = new byte[tokens.rows() * K];
        Arrays.fill(weights, weight);
        Arrays.fill(outcomes, Choices.PENDING);
        Choices choices = new Choices(K, new int[tokens.rows() * K], weights, outcomes);
        harness.send(new RoutedBlock(batch, tokens, choices));
    }

    static TokenBlock tokens(int lane, float[] vectors, Object... streams) {
        int rows = vectors.length / D;
        String[] names = new String[rows];
        long[] timestamps = new long[rows];
        for (int row = 0; row < rows; row++) {
            names[row] = (String) streams[Math.min(2 * row, streams.length - 1)];
            timestamps[row] = streams.length > 1 ? (Integer) streams[2 * row + 1] : 0;
        }
        return new TokenBlock(
                lane, names, new long[rows], timestamps, Floats.toBytes(vectors), new Choices[0]);
    }

    static ContributionBlock executed(int lane, long batch, int[] choices, float value) {
        float[] outputs = new float[choices.length * D];
        Arrays.fill(outputs, value);
        return new ContributionBlock(
                lane,
                batch,
                choices,
                new byte[choices.length],
                Vectors.of(Floats.toBytes(outputs)));
    }

    static ContributionBlock failed(int lane, long batch, int... choices) {
        byte[] outcomes = new byte[choices.length];
        Arrays.fill(outcomes, Outcome.FAILED.code());
        return new ContributionBlock(lane, batch, choices, outcomes, Vectors.NONE);
    }

    static List<String> streams(CombineHarness harness) {
        return harness.extractOutputValues().stream()
                .flatMap(block -> Arrays.stream(block.streams()))
                .toList();
    }
}
