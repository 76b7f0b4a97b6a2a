// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import static io.flinkmoe.runtime.admission.AdmissionBlocks.ADMITTED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.LATE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.MINUTE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.N;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.OVERFLOWED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.nextRound;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.summaries;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.withNextExpert;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.runtime.block.AdmissionInput;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.testing.AdmissionHarness;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.OperatorHarnesses;
import io.flinkmoe.testing.WindowRules;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Choices that are passed on to their next expert. Each round is an operator of its own. */
@ParameterizedClass
@EnumSource
class AdmissionRoundsTest {

    private static final int ROUNDS = N - 1;
    private static final int TOKENS = 60;

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        options = AdmissionBlocks.options(directory.resolve("bundle"), 1);
    }

    @Test
    void passesOnChoicesAndTheCapacityLeftBeforeTheWatermark() throws Exception {
        try (var harness = open(prioritized(2), 0)) {
            harness.send(withNextExpert(1, 0, 0, 0, 1, 2), withNextExpert(2, 1, 0, 5));
            harness.processWatermark(59_999);

            assertThat(harness.decided()).isEqualTo(Map.of(0, ADMITTED, 1, ADMITTED, 5, ADMITTED));
            assertThat(nextRound(harness))
                    .containsExactlyInAnyOrder(
                            "expert 2, attempt 1: [2]",
                            "expert 1, window 0: capacity 0 left",
                            "expert 2, window 0: capacity 1 left");
            assertThat(harness.getOutput()).endsWith(new Watermark(59_999));
            assertThat(harness.numKeyedStateEntries()).isZero();
            assertThat(summaries(harness))
                    .containsExactlyInAnyOrder(
                            summary(0, 1, new WindowCounts(3, 2, 1, 0, 0, 0, 0, 0)),
                            summary(0, 2, new WindowCounts(1, 1, 0, 0, 0, 0, 0, 0)))
                    .allMatch(summary -> summary.counts().isBalanced());
        }
    }

    @Test
    void theNextRoundAdmitsNoMoreThanTheCapacityLeft() throws Exception {
        try (var harness = open(prioritized(2), 1)) {
            harness.send(withNextExpert(2, 0, 1, 3, 4, 5), new RemainingCapacity(2, 0, 1));
            harness.send(withNextExpert(3, 1, 1, 7, 8, 9));
            assertThat(harness.extractOutputValues()).isEmpty();
            harness.processWatermark(59_999);

            // Expert 3 has received no report, so it has its full capacity, 2.
            assertThat(harness.decided())
                    .isEqualTo(
                            Map.of(
                                    3,
                                    ADMITTED,
                                    7,
                                    ADMITTED,
                                    8,
                                    ADMITTED,
                                    4,
                                    OVERFLOWED,
                                    5,
                                    OVERFLOWED,
                                    9,
                                    OVERFLOWED));
            assertThat(harness.extractOutputValues())
                    .flatMap(block -> List.of(block.batches()))
                    .allMatch(decisions -> decisions.attempt() == 1);
            assertThat(nextRound(harness)).isEmpty();
            assertThat(harness.numKeyedStateEntries()).isZero();
            assertThat(summaries(harness))
                    .containsExactlyInAnyOrder(
                            summary(1, 2, new WindowCounts(3, 1, 0, 0, 0, 2, 0, 0)),
                            summary(1, 3, new WindowCounts(3, 2, 0, 0, 0, 1, 0, 0)));
        }
    }

    @Test
    void theNextRoundForgetsTheCapacityLeftWhenTheWindowCloses() throws Exception {
        try (var harness = open(prioritized(2), 1)) {
            harness.send(new RemainingCapacity(2, 0, 1));
            assertThat(harness.numKeyedStateEntries()).isPositive();
            harness.processWatermark(59_999);
            assertThat(harness.numKeyedStateEntries()).isZero();
            assertThat(summaries(harness)).isEmpty();
        }
    }

    @Test
    void reportsNoCapacityWhenOnlyLateChoicesHaveOpenedAWindowAgain() throws Exception {
        try (var harness = open(prioritized(2), 0)) {
            harness.send(withNextExpert(1, 0, 0, 1));
            harness.processWatermark(59_999);
            assertThat(nextRound(harness)).containsExactly("expert 1, window 0: capacity 1 left");
            harness.send(withNextExpert(1, 1, 0, 2));
            harness.processWatermark(119_999);
            assertThat(harness.decided()).containsEntry(2, LATE);
            assertThat(nextRound(harness)).containsExactly("expert 1, window 0: capacity 1 left");
            assertThat(summaries(harness))
                    .containsExactly(
                            summary(0, 1, WindowCounts.EMPTY.plusAdmitted(1)),
                            summary(0, 1, WindowCounts.EMPTY.plus(Outcome.LATE, 1)));
        }
    }

    /** Otherwise the next round would take the capacity of a window without tokens. */
    @Test
    void anExpertThatNoChoiceAsksReportsItsCapacity() throws Exception {
        Capacity half =
                AtWindowClose.of(MINUTE, CapacityFormula.nllbEval(0.5), AdmissionOrder.POSITION)
                        .withOverflowRounds(1);
        try (var harness = open(half, 0)) {
            harness.send(new WindowTokens(3, 0, 0, 6), new WindowTokens(3, 1, 0, 4));
            harness.processWatermark(59_999);
            assertThat(nextRound(harness)).containsExactly("expert 3, window 0: capacity 5 left");
            assertThat(summaries(harness)).isEmpty();
            assertThat(harness.numKeyedStateEntries()).isZero();
        }
    }

    @Test
    void firstComeAdmissionPassesOnAtOnceWhatItRefuses() throws Exception {
        Capacity capacity = FirstCome.of(MINUTE, 1).withOverflowRounds(1);
        try (var harness = open(capacity, 0)) {
            harness.send(withNextExpert(1, 0, 0, 1, 2));
            assertThat(nextRound(harness)).containsExactly("expert 2, attempt 1: [2]");
            harness.processWatermark(59_999);
            assertThat(harness.decided()).isEqualTo(Map.of(1, ADMITTED));
            assertThat(nextRound(harness)).endsWith("expert 1, window 0: capacity 0 left");
            assertThat(summaries(harness))
                    .containsExactly(summary(0, 1, new WindowCounts(2, 1, 1, 0, 0, 0, 0, 0)));
        }
        try (var harness = open(capacity, 1)) {
            harness.send(withNextExpert(2, 0, 1, 2), new RemainingCapacity(2, 0, 0));
            harness.processWatermark(59_998);
            assertThat(harness.extractOutputValues()).isEmpty();
            harness.processWatermark(59_999);
            assertThat(harness.decided()).isEqualTo(Map.of(2, OVERFLOWED));
        }
    }

    @Test
    void aChoiceWithoutANextExpertOverflows() throws Exception {
        try (var harness = open(prioritized(0), 0)) {
            CandidateBlock last = withNextExpert(1, 0, 0, 1);
            last.priorities().nextExperts()[0] = -1;
            harness.send(last);
            harness.processWatermark(59_999);
            assertThat(harness.decided()).isEqualTo(Map.of(1, OVERFLOWED));
        }
    }

    @Test
    void keepsChoicesAndTheCapacityLeftOverARestore() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open(prioritized(2), 1)) {
            harness.send(withNextExpert(2, 0, 1, 3, 4), new RemainingCapacity(2, 0, 1));
            state = harness.snapshot(1, 1);
        }
        try (var harness = open(prioritized(2), 1, state)) {
            harness.processWatermark(59_999);
            assertThat(harness.decided()).isEqualTo(Map.of(3, ADMITTED, 4, OVERFLOWED));
        }
    }

    @ParameterizedTest
    @EnumSource
    void allRoundsTogetherDecideByTheRule(AdmissionOrder order) throws Exception {
        int capacity = TOKENS / N - 2;
        Random random = new Random(11);
        int[] preferences = new int[TOKENS * N];
        float[] scores = new float[TOKENS * N];
        for (int token = 0; token < TOKENS; token++) {
            List<Integer> experts = new ArrayList<>(IntStream.range(0, N).boxed().toList());
            Collections.shuffle(experts, random);
            for (int rank = 0; rank < N; rank++) {
                // Most tokens prefer the experts with low numbers, and many scores are equal.
                preferences[token * N + rank] = token % 3 == 0 ? experts.get(rank) : rank;
                scores[token * N + rank] = random.nextInt(8);
            }
        }
        Capacity rule =
                AtWindowClose.of(MINUTE, CapacityFormula.fixed(capacity), order)
                        .withOverflowRounds(ROUNDS);
        List<AdmissionInput> inputs = firstRound(preferences, scores);
        Map<Integer, String> decided = new TreeMap<>();
        for (int round = 0; round <= ROUNDS; round++) {
            Collections.shuffle(inputs, random);
            try (var harness = open(rule, round)) {
                harness.send(inputs.toArray(AdmissionInput[]::new));
                harness.processWatermark(59_999);
                for (DecisionBlock block : harness.extractOutputValues()) {
                    read(block, decided);
                }
                inputs = new ArrayList<>(harness.nextRound());
            }
        }

        WindowRules oracle = new WindowRules(preferences, scores, N, 1, ROUNDS, capacity, order);
        Map<Integer, String> expected = new TreeMap<>();
        for (int choice = 0; choice < TOKENS; choice++) {
            byte outcome = oracle.outcomes[choice] == Outcome.OVERFLOWED ? OVERFLOWED : ADMITTED;
            expected.put(choice, outcome + " in attempt " + oracle.attempts[choice]);
        }
        assertThat(decided).isEqualTo(expected);
        assertThat(oracle.attempts).as("the test uses all rounds").contains(0, 1, 2, ROUNDS);
    }

    /** One block per expert; the number of a choice is the place of its token in the order. */
    private static List<AdmissionInput> firstRound(int[] preferences, float[] scores) {
        List<AdmissionInput> blocks = new ArrayList<>();
        for (int e = 0; e < N; e++) {
            int expert = e;
            int[] tokens =
                    IntStream.range(0, TOKENS).filter(t -> preferences[t * N] == expert).toArray();
            long[] timestamps = new long[tokens.length];
            Priorities priorities = Priorities.ofRows(tokens.length, 1 + ROUNDS);
            for (int row = 0; row < tokens.length; row++) {
                int first = tokens[row] * N;
                timestamps[row] = tokens[row] / 10;
                priorities.streams()[row] = "s";
                priorities.positions()[row] = tokens[row];
                priorities.topScores()[row] = scores[first + expert];
                for (int rank = 0; rank < N; rank++) {
                    int tried = preferences[first + rank];
                    priorities.scores()[row * N + rank] = scores[first + tried];
                    if (rank > 0) {
                        priorities.nextExperts()[row * ROUNDS + rank - 1] = tried;
                    }
                }
            }
            blocks.add(new CandidateBlock(expert, 0, 0, 0, tokens, timestamps, priorities));
        }
        return blocks;
    }

    private static void read(DecisionBlock block, Map<Integer, String> into) {
        for (DecisionBlock.OfBatch decisions : block.batches()) {
            for (int i = 0; i < decisions.choices().length; i++) {
                String outcome = decisions.outcomes()[i] + " in attempt " + decisions.attempt();
                assertThat(into.put(decisions.choices()[i], outcome)).isNull();
            }
        }
    }

    private static Capacity prioritized(int rows) {
        return AtWindowClose.of(MINUTE, CapacityFormula.fixed(rows), AdmissionOrder.POSITION)
                .withOverflowRounds(1);
    }

    private static WindowSummary summary(int round, int expert, WindowCounts counts) {
        return new WindowSummary(
                0, 0, WindowSummary.Source.ADMISSION, round, expert, WindowSummary.NONE, counts);
    }

    private AdmissionHarness open(Capacity capacity, int round, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .capacity(capacity)
                .restore(states)
                .admission(0, round);
    }
}
