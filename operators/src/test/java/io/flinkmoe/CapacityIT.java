package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.Admission;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WindowAccount;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.stream.Decision;
import io.flinkmoe.stream.MoeOptions;
import io.flinkmoe.stream.ScoredToken;
import io.flinkmoe.stream.Token;
import io.flinkmoe.stream.WindowSummary;
import io.flinkmoe.testing.Flights;
import io.flinkmoe.testing.ShuffledPartitions;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A fixed capacity per window, on the flights: who runs, who overflows, and the accounts. */
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

    @ParameterizedTest(name = "parallelism {0}, capacity {1}, {2}")
    @CsvSource({
        "1, 150, FIRST_COME",
        "3, 150, FIRST_COME",
        "2, 0, FIRST_COME",
        "3, 150, PRIORITIZED",
        "2, 0, PRIORITIZED"
    })
    void noExpertRunsMoreThanItsCapacityAndEveryChoiceIsAccountedFor(
            int parallelism, int capacity, Admission admission) throws Exception {
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, directory.resolve("bundle").toString());
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, capacity);
        options.set(MoeOptions.CAPACITY_ADMISSION, admission);
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, Duration.ofHours(1));
        options.set(PipelineOptions.GENERIC_TYPES, false);
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(parallelism, options);
        MoeResult result =
                MoeLayers.of(options)
                        .score(
                                ShuffledPartitions.of(env, tokens, parallelism, 11)
                                        .assignTimestampsAndWatermarks(
                                                WatermarkStrategy.<Token>forBoundedOutOfOrderness(
                                                                Duration.ofDays(10))
                                                        .withTimestampAssigner(
                                                                (t, at) -> t.timestamp())));
        List<ScoredToken> scored = new ArrayList<>();
        List<WindowSummary> summaries = new ArrayList<>();
        collect(env, result, scored, summaries);

        checkOutcomes(scored, capacity);
        checkAccounts(scored, summaries, capacity);
    }

    private static void collect(
            StreamExecutionEnvironment env,
            MoeResult result,
            List<ScoredToken> scored,
            List<WindowSummary> summaries)
            throws Exception {
        CloseableIterator<ScoredToken> tokenResults = result.scored().collectAsync();
        CloseableIterator<WindowSummary> summaryResults = result.windowSummaries().collectAsync();
        env.executeAsync();
        tokenResults.forEachRemaining(scored::add);
        summaryResults.forEachRemaining(summaries::add);
    }

    /** Every token once; its value the dropless one exactly if both its choices were executed. */
    private static void checkOutcomes(List<ScoredToken> scored, int capacity) {
        Set<Long> seen = new HashSet<>();
        Map<String, Integer> executed = new HashMap<>();
        for (ScoredToken token : scored) {
            assertThat(seen.add(token.position())).isTrue();
            Decision decision = token.layers()[0];
            boolean whole = true;
            for (int rank = 0; rank < Flights.TOP_K; rank++) {
                Outcome outcome = decision.outcomes()[rank];
                assertThat(outcome).isIn(Outcome.EXECUTED, Outcome.OVERFLOWED);
                if (outcome == Outcome.EXECUTED) {
                    String key = HOUR.startOf(token.timestamp()) + "/" + decision.experts()[rank];
                    executed.merge(key, 1, Integer::sum);
                } else {
                    whole = false;
                }
            }
            if (whole) {
                assertThat(token.values()[0]).isEqualTo(dropless.out()[(int) token.position()]);
            }
        }
        assertThat(seen).hasSize(tokens.size());
        assertThat(executed.values()).allMatch(count -> count <= capacity);
        if (capacity > 0) {
            assertThat(executed.values()).contains(capacity);
        }
    }

    private static void checkAccounts(
            List<ScoredToken> scored, List<WindowSummary> summaries, int capacity) {
        Map<Long, Map<WindowSummary.Source, WindowAccount>> windows = new HashMap<>();
        for (WindowSummary summary : summaries) {
            if (summary.source() == WindowSummary.Source.EXPERT) {
                assertThat(summary.account().isBalanced()).isTrue();
                assertThat(summary.account().executed()).isLessThanOrEqualTo(capacity);
            }
            windows.computeIfAbsent(
                            summary.windowStart(), w -> new EnumMap<>(WindowSummary.Source.class))
                    .merge(summary.source(), summary.account(), WindowAccount::plus);
        }
        Map<Long, WindowAccount> outcomes = new HashMap<>();
        for (ScoredToken token : scored) {
            for (Outcome outcome : token.layers()[0].outcomes()) {
                outcomes.merge(
                        HOUR.startOf(token.timestamp()),
                        WindowAccount.EMPTY.plus(outcome, 1),
                        WindowAccount::plus);
            }
        }
        assertThat(windows).hasSameSizeAs(outcomes);
        outcomes.forEach(
                (window, account) -> {
                    Map<WindowSummary.Source, WindowAccount> sources = windows.get(window);
                    assertThat(sources.get(WindowSummary.Source.ROUTER).asked())
                            .isEqualTo(account.asked());
                    assertThat(sources.get(WindowSummary.Source.EXPERT)).isEqualTo(account);
                    assertThat(sources.get(WindowSummary.Source.COMBINE)).isEqualTo(account);
                });
    }
}
