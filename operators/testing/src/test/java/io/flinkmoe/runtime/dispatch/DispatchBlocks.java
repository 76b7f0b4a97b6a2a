// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.DecisionBlock.OfBatch;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.DispatchHarness;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * What dispatch tests send and read. A token has two choices and two attempts, so four ranks. Token
 * {@code r} of a batch tries expert {@code (r + rank) % 4}.
 */
final class DispatchBlocks {

    static final int LANES = 4;
    static final int N = 4;
    static final int K = 2;
    static final int RANKS = 4;
    static final int D = 3;

    private DispatchBlocks() {}

    static Configuration options(Path folder) {
        return options(folder, D);
    }

    static Configuration options(Path folder, int width) {
        return TinyBundle.builder()
                .numExperts(N)
                .topK(K)
                .hiddenSize(width)
                .writeTo(folder)
                .options()
                .set(MoeOptions.LANES, LANES);
    }

    /**
     * Tokens whose choices are all undecided.
     *
     * @param tokens stream and timestamp, such as a@5
     */
    static RoutedBlock undecided(int lane, long batch, String... tokens) {
        return block(lane, batch, D, Choices.PENDING, TokenBlock.NONE_LATE, tokens);
    }

    /** Late tokens, which wait for no decision. */
    static RoutedBlock late(int lane, long batch, String... tokens) {
        return late(lane, batch, D, tokens);
    }

    static RoutedBlock late(int lane, long batch, int width, String... tokens) {
        boolean[] late = new boolean[tokens.length];
        Arrays.fill(late, true);
        return block(lane, batch, width, Outcome.LATE.code(), late, tokens);
    }

    private static RoutedBlock block(
            int lane, long batch, int width, byte outcome, boolean[] late, String... tokens) {
        int rows = tokens.length;
        String[] streams = new String[rows];
        long[] timestamps = new long[rows];
        long[] positions = new long[rows];
        int[] experts = new int[rows * RANKS];
        float[] weights = new float[rows * RANKS];
        float[] vectors = new float[rows * width];
        byte[] outcomes = new byte[rows * K];
        Arrays.fill(outcomes, outcome);
        for (int row = 0; row < rows; row++) {
            String[] parts = tokens[row].split("@");
            streams[row] = parts[0];
            timestamps[row] = Long.parseLong(parts[1]);
            positions[row] = 10 * batch + row;
            for (int rank = 0; rank < RANKS; rank++) {
                experts[row * RANKS + rank] = (row + rank) % N;
                weights[row * RANKS + rank] = 10 * row + rank;
            }
            float[] vector = vector(batch, row, width);
            System.arraycopy(vector, 0, vectors, row * width, width);
        }
        return new RoutedBlock(
                batch,
                new TokenBlock(
                        lane,
                        streams,
                        positions,
                        timestamps,
                        late,
                        TokenBlock.NO_ORIGINS,
                        Floats.toBytes(vectors),
                        TokenBlock.NO_STRINGS,
                        TokenBlock.NO_PAYLOADS,
                        new Choices[0]),
                new Choices(K, experts, weights, Choices.NO_SCORES, outcomes, new byte[rows * K]));
    }

    /** The residual of a token. */
    static float[] vector(long batch, int row) {
        return vector(batch, row, D);
    }

    private static float[] vector(long batch, int row, int width) {
        float[] vector = new float[width];
        for (int i = 0; i < width; i++) {
            vector[i] = 1_000 * batch + 10 * row + i;
        }
        return vector;
    }

    /** Decides in the first attempt that choices are admitted. */
    static DecisionBlock admitted(int lane, long batch, int... choices) {
        return decided(lane, batch, 0, Choices.PENDING, choices);
    }

    /** Decides the choices of an attempt alike. */
    static DecisionBlock decided(int lane, long batch, int attempt, byte outcome, int... choices) {
        byte[] outcomes = new byte[choices.length];
        Arrays.fill(outcomes, outcome);
        return block(
                lane, new OfBatch(batch, attempt, choices, outcomes, DecisionBlock.NO_WEIGHTS));
    }

    static DecisionBlock block(int lane, OfBatch... batches) {
        return new DecisionBlock(lane, batches);
    }

    /**
     * What has left: watermarks, such as "watermark 5", and tokens with lane and new batch number,
     * such as "2/0: a@5 b@7".
     */
    static List<String> output(DispatchHarness harness) {
        List<String> output = new ArrayList<>();
        for (Object element : harness.getOutput()) {
            if (element instanceof Watermark watermark) {
                output.add("watermark " + watermark.getTimestamp());
            } else {
                output.add(text((RoutedBlock) ((StreamRecord<?>) element).getValue()));
            }
        }
        return output;
    }

    /** The tokens that have left. */
    static List<String> sent(DispatchHarness harness) {
        return harness.extractOutputValues().stream().map(DispatchBlocks::text).toList();
    }

    private static String text(RoutedBlock block) {
        TokenBlock tokens = block.tokens();
        StringBuilder text = new StringBuilder();
        text.append(tokens.lane()).append('/').append(block.batch()).append(':');
        for (int row = 0; row < tokens.rows(); row++) {
            text.append(' ').append(tokens.streams()[row]);
            text.append('@').append(tokens.timestamps()[row]);
        }
        return text.toString();
    }

    /** Runs some slices, one in each mail. */
    static void runSlices(DispatchHarness harness, int count) throws Exception {
        for (int slice = 0; slice < count; slice++) {
            harness.runSlice();
        }
    }

    /** How many batches a state has entries of. */
    static long entries(DispatchHarness harness, String state) throws Exception {
        KeyedStateBackend<?> backend = harness.getOperator().getKeyedStateBackend();
        try (Stream<?> entries = backend.getKeysAndNamespaces(state)) {
            return entries.count();
        }
    }

    /** Ends a subtask as a failure does: without the end of its input. */
    static void kill(DispatchHarness harness) throws Exception {
        harness.getOperator().close();
        harness.getEnvironment().close();
    }
}
