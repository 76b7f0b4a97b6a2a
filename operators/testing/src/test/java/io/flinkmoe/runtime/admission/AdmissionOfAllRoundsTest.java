// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import static io.flinkmoe.runtime.admission.AdmissionBlocks.ADMITTED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.MINUTE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.N;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.OVERFLOWED;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.AdmissionInput;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.Priorities;
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
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** All rounds of admission, one after the other, decide as the oracle {@link WindowRules} does. */
@ParameterizedClass
@EnumSource
class AdmissionOfAllRoundsTest {

    private static final int ROUNDS = N - 1;
    private static final int TOKENS = 60;

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        options = AdmissionBlocks.options(directory.resolve("bundle"), 1);
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
            Priorities priorities = Priorities.ofRows(tokens.length, 1 + ROUNDS, false);
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

    private AdmissionHarness open(Capacity capacity, int round) throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .capacity(capacity)
                .admission(0, round);
    }
}
