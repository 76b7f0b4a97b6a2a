// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.testing.Flights;
import io.flinkmoe.testing.JobOutcomes;
import io.flinkmoe.testing.ShuffledPartitions;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * A fixed capacity per window, on the flights: which choices are executed, which overflow, and the
 * window summaries.
 */
class CapacityIT {

    private static final TumblingWindows HOUR = new TumblingWindows(Duration.ofHours(1).toMillis());

    @TempDir private static Path directory;

    private static List<Token> tokens;
    private static ReferenceModel.Result dropless;

    @BeforeAll
    static void runReference() throws Exception {
        Flights flights = Flights.load();
        tokens = flights.tokens();
        try (ReferenceModel model =
                ReferenceModel.open(Flights.importBundle(directory.resolve("bundle")))) {
            dropless = model.forward(flights.features(), flights.count());
        }
    }

    @ParameterizedTest(name = "parallelism {0}, capacity {1}, {2}, {3} rounds")
    @CsvSource({
        "3, 150, FIRST_COME, 0",
        "2, 0, FIRST_COME, 0",
        "2, 150, FIRST_COME, 2",
        "3, 150, PRIORITIZED, 0",
        "3, 150, PRIORITIZED, 1",
        "2, 0, PRIORITIZED, 0"
    })
    void noExpertRunsMoreThanItsCapacityAndEveryChoiceIsAccountedFor(
            int parallelism, int capacity, AdmissionMode admission, int rounds) throws Exception {
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, directory.resolve("bundle").toString());
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, capacity);
        options.set(MoeOptions.CAPACITY_ADMISSION, admission);
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, Duration.ofHours(1));
        if (rounds > 0) {
            options.set(MoeOptions.OVERFLOW, MoeOptions.OverflowPolicy.NEXT_EXPERT);
            options.set(MoeOptions.OVERFLOW_ROUNDS, rounds);
        }
        options.set(PipelineOptions.GENERIC_TYPES, false);
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(parallelism, options);
        MoeResult result =
                MoeLayers.builder(options)
                        .build()
                        .score(
                                ShuffledPartitions.of(env, tokens, parallelism, 11)
                                        .assignTimestampsAndWatermarks(
                                                WatermarkStrategy.<Token>forBoundedOutOfOrderness(
                                                                Duration.ofDays(10))
                                                        .withTimestampAssigner(
                                                                (t, at) -> t.timestamp())));
        JobOutcomes outcomes = JobOutcomes.of(env, result);

        checkOutcomes(outcomes.checked(HOUR), capacity, rounds);
        assertThat(outcomes.usedByExpert(0).values())
                .as("choices that took room, over all rounds")
                .allMatch(used -> used <= capacity);
    }

    /** Every token once; its value the dropless one exactly if both its choices were executed. */
    private static void checkOutcomes(List<ScoredToken> scored, int capacity, int rounds) {
        Set<Outcome> allowed = EnumSet.of(Outcome.EXECUTED, Outcome.OVERFLOWED);
        if (rounds > 0) {
            allowed.add(Outcome.REROUTED);
        }
        Set<Outcome> found = EnumSet.noneOf(Outcome.class);
        Set<Long> seen = new HashSet<>();
        Map<String, Integer> executed = new HashMap<>();
        for (ScoredToken token : scored) {
            assertThat(seen.add(token.position())).isTrue();
            Decision decision = token.layers()[0];
            boolean whole = true;
            for (int rank = 0; rank < Flights.TOP_K; rank++) {
                Outcome outcome = decision.outcomes()[rank];
                found.add(outcome);
                whole &= outcome == Outcome.EXECUTED;
                if (outcome != Outcome.OVERFLOWED) {
                    String key = HOUR.startOf(token.timestamp()) + "/" + decision.experts()[rank];
                    executed.merge(key, 1, Integer::sum);
                }
            }
            if (whole) {
                assertThat(token.values()[0]).isEqualTo(dropless.out()[(int) token.position()]);
            }
        }
        assertThat(seen).hasSize(tokens.size());
        assertThat(allowed).containsAll(found);
        assertThat(found.contains(Outcome.REROUTED)).isEqualTo(rounds > 0);
        assertThat(executed.values()).allMatch(count -> count <= capacity);
        if (capacity > 0) {
            assertThat(executed.values()).contains(capacity);
        }
    }
}
