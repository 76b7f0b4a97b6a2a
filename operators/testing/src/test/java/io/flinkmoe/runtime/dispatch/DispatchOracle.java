// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import static io.flinkmoe.runtime.dispatch.DispatchBlocks.D;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.K;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.LANES;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.RANKS;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.DecisionBlock.OfBatch;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The tokens of a {@link RandomInput} as lists that are searched anew: which have arrived, which
 * may leave, and how they must look.
 */
final class DispatchOracle {

    private final RandomInput input;
    private final boolean[][] arrived = new boolean[LANES][];

    /** By lane and batch, the number of undecided choices of each token. */
    private final int[][][] missing = new int[LANES][][];

    private final boolean[][][] left = new boolean[LANES][][];
    private final long[] numbers = new long[LANES];

    DispatchOracle(RandomInput input) {
        this.input = input;
        for (int lane = 0; lane < LANES; lane++) {
            int batches = input.batches(lane).size();
            numbers[lane] = input.first(lane);
            arrived[lane] = new boolean[batches];
            missing[lane] = new int[batches][];
            left[lane] = new boolean[batches][];
            for (int batch = 0; batch < batches; batch++) {
                byte[] outcomes = input.batches(lane).get(batch).choices().outcomes();
                missing[lane][batch] = new int[outcomes.length / K];
                left[lane][batch] = new boolean[outcomes.length / K];
                for (int choice = 0; choice < outcomes.length; choice++) {
                    boolean isPending = outcomes[choice] == Choices.PENDING;
                    missing[lane][batch][choice / K] += isPending ? 1 : 0;
                }
            }
        }
    }

    DispatchOracle copy() {
        DispatchOracle copy = new DispatchOracle(input);
        for (int lane = 0; lane < LANES; lane++) {
            copy.arrived[lane] = arrived[lane].clone();
            copy.numbers[lane] = numbers[lane];
            for (int batch = 0; batch < arrived[lane].length; batch++) {
                copy.missing[lane][batch] = missing[lane][batch].clone();
                copy.left[lane][batch] = left[lane][batch].clone();
            }
        }
        return copy;
    }

    void arrive(RoutedBlock block) {
        int lane = block.tokens().lane();
        arrived[lane][place(lane, block.batch())] = true;
    }

    void decide(int lane, OfBatch decisions) {
        for (int choice : decisions.choices()) {
            missing[lane][place(lane, decisions.batch())][choice / K]--;
        }
    }

    private int place(int lane, long batch) {
        return (int) batch - input.first(lane);
    }

    /** The rows of a lane's batches that may leave now. */
    private List<Set<Integer>> mayLeave(int lane) {
        List<Set<Integer>> rows = new ArrayList<>();
        Set<String> held = new HashSet<>();
        for (int batch = 0; batch < arrived[lane].length && arrived[lane][batch]; batch++) {
            String[] streams = input.batches(lane).get(batch).tokens().streams();
            Set<Integer> ofBatch = new HashSet<>();
            for (int row = 0; row < streams.length; row++) {
                if (left[lane][batch][row]) {
                    continue;
                }
                if (missing[lane][batch][row] == 0 && !held.contains(streams[row])) {
                    ofBatch.add(row);
                } else {
                    held.add(streams[row]);
                }
            }
            rows.add(ofBatch);
        }
        return rows;
    }

    void assertNothingMayLeave(int lane) {
        assertThat(mayLeave(lane)).as("may leave lane %d", lane).allMatch(Set::isEmpty);
    }

    /** All earlier batches have left, so that the first one needs no watermark. */
    void assertFirstBatchMayNotLeave(int lane) {
        int first = 0;
        while (first < arrived[lane].length && areTrue(left[lane][first])) {
            first++;
        }
        if (first < arrived[lane].length && arrived[lane][first]) {
            assertThat(Arrays.stream(missing[lane][first]).sum())
                    .as("undecided choices of batch %d of lane %d", first, lane)
                    .isPositive();
        }
    }

    private static boolean areTrue(boolean[] flags) {
        for (boolean flag : flags) {
            if (!flag) {
                return false;
            }
        }
        return true;
    }

    void assertAllHaveLeft() {
        assertThat(Arrays.stream(left).flatMap(Arrays::stream)).allMatch(DispatchOracle::areTrue);
    }

    /** The oldest timestamp of the tokens that wait and are not late. */
    long oldest(int lane) {
        long oldest = Long.MAX_VALUE;
        for (int batch = 0; batch < arrived[lane].length; batch++) {
            TokenBlock tokens = input.batches(lane).get(batch).tokens();
            for (int row = 0; row < tokens.rows(); row++) {
                if (arrived[lane][batch] && !left[lane][batch][row] && !tokens.isLate(row)) {
                    oldest = Math.min(oldest, tokens.timestamps()[row]);
                }
            }
        }
        return oldest;
    }

    /**
     * Checks tokens that have left.
     *
     * @return what must go to the experts
     */
    List<String> leave(RoutedBlock block) {
        int lane = block.tokens().lane();
        int batch = (int) (block.tokens().positions()[0] / 100);
        assertThat(block.batch()).as("number in lane %d", lane).isEqualTo(numbers[lane]++);
        assertThat(block.hidden().isEmpty()).isTrue();
        RoutedBlock sent = input.batches(lane).get(batch);
        RoutedBlock decided =
                new RoutedBlock(
                        batch,
                        sent.tokens(),
                        input.decided(lane, batch),
                        sent.scales(),
                        sent.hidden());
        int[] rows = new int[block.tokens().rows()];
        Set<Integer> mayLeave = mayLeave(lane).get(batch);
        for (int i = 0; i < rows.length; i++) {
            rows[i] = (int) (block.tokens().positions()[i] - 100L * batch);
            assertThat(mayLeave).as("batch %d of lane %d", batch, lane).contains(rows[i]);
            assertThat(text(block, i)).isEqualTo(text(decided, rows[i]));
            left[lane][batch][rows[i]] = true;
        }
        assertThat(rows).isSorted().doesNotHaveDuplicates();
        return rows(decided, rows, block.batch());
    }

    private static String text(RoutedBlock block, int row) {
        TokenBlock tokens = block.tokens();
        Choices choices = block.choices();
        int ranks = row * RANKS;
        return "%s@%d %d late %s vector %s experts %s weights %s scores %s outcomes %s attempts %s scale %s"
                .formatted(
                        tokens.streams()[row],
                        tokens.timestamps()[row],
                        tokens.positions()[row],
                        tokens.isLate(row),
                        vector(tokens.vectors(), row),
                        Arrays.toString(
                                Arrays.copyOfRange(choices.experts(), ranks, ranks + RANKS)),
                        floats(choices.weights(), ranks, RANKS),
                        floats(choices.scores(), ranks, RANKS),
                        Arrays.toString(
                                Arrays.copyOfRange(choices.outcomes(), row * K, row * K + K)),
                        Arrays.toString(
                                Arrays.copyOfRange(choices.attempts(), row * K, row * K + K)),
                        floats(block.scales(), row, 1));
    }

    private static String floats(float[] values, int from, int count) {
        return values.length == 0
                ? "none"
                : Arrays.toString(Arrays.copyOfRange(values, from, from + count));
    }

    private static String vector(byte[] matrix, int row) {
        return floats(Floats.toFloats(matrix), row * D, D);
    }

    /** The admitted choices of rows, by expert and then in the order of the batch. */
    private static List<String> rows(RoutedBlock decided, int[] rows, long number) {
        Choices choices = decided.choices();
        byte[] hidden =
                decided.hidden().isEmpty()
                        ? decided.tokens().vectors()
                        : decided.hidden().toBytes();
        List<String> texts = new ArrayList<>();
        for (int expert = 0; expert < DispatchBlocks.N; expert++) {
            for (int i = 0; i < rows.length * K; i++) {
                int choice = rows[i / K] * K + i % K;
                int rank = choice % K + choices.attempts()[choice] * K;
                if (choices.outcomes()[choice] == Choices.PENDING
                        && choices.experts()[choice / K * RANKS + rank] == expert) {
                    String vector = vector(hidden, choice / K);
                    texts.add(text(expert, decided.tokens().lane(), number, i, vector));
                }
            }
        }
        return texts;
    }

    /** The rows of a record to an expert, each as text. */
    static List<String> texts(ExpertRows rows) {
        List<String> texts = new ArrayList<>();
        for (int row = 0; row < rows.rows(); row++) {
            String vector = vector(rows.vectors().toBytes(), row);
            texts.add(text(rows.expert(), rows.lane(), rows.batch(), rows.choices()[row], vector));
        }
        return texts;
    }

    private static String text(int expert, int lane, long number, int choice, String vector) {
        return "expert %d, lane %d, batch %d, choice %d: %s"
                .formatted(expert, lane, number, choice, vector);
    }
}
