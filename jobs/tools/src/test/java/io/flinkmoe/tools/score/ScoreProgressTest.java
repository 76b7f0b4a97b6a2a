// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.GlobalWindow;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.flink.EmbeddedFlink;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.apache.flink.api.common.JobID;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ScoreProgressTest {

    private static final long SECOND = 1_000_000_000L;

    private final StringWriter out = new StringWriter();
    private final ScoreProgress progress =
            new ScoreProgress(null, null, new TumblingWindows(60_000), true, new PrintWriter(out));

    @Test
    void firstTokensAreToldAtOnceAndMoreEveryTenSeconds() {
        print(5, 0, 0, 1);
        print(100, 90, 1, 2);
        print(600, 590, 1, 7);
        print(1_110, 1_090, 2, 12);

        assertThat(out.toString().lines())
                .containsExactly(
                        "read 100   scored 90   rejected 1 (all: JSON)",
                        "read 1,110   scored 1,090   rejected 2 (all: JSON)   100 tokens/s");
    }

    @Test
    void quietTimesAreNotToldAndNotInTheRate() {
        print(90, 90, 0, 1);
        print(90, 90, 0, 30);
        print(90, 90, 0, 100);
        print(390, 290, 0, 105);
        print(1_090, 1_090, 0, 110);

        assertThat(out.toString().lines().skip(1))
                .containsExactly("read 1,090   scored 1,090   rejected 0   100 tokens/s");
    }

    @Test
    void restartedTasksCountAnew() {
        print(90, 90, 0, 1);
        print(20, 10, 0, 3);

        assertThat(out.toString().lines().skip(1))
                .containsExactly("read 20   scored 10   rejected 0");
    }

    @Test
    void theSameReasonToWaitIsToldOnceAMinute() {
        progress.printStatus("t-1 waits: 51 records wait.", SECOND);
        progress.printStatus("t-1 waits: 60 records wait.\nt-2 waits: 3 records wait.", 3 * SECOND);
        progress.printStatus("", 30 * SECOND);
        progress.printStatus("t-1 waits: 70 records wait.", 61 * SECOND);

        assertThat(out.toString().lines())
                .containsExactly(
                        "t-1 waits: 51 records wait.",
                        "t-2 waits: 3 records wait.",
                        "t-1 waits: 70 records wait.");
    }

    @Test
    void rejectedRecordsAreToldThoughNothingIsScored() {
        print(0, 0, 0, 1);
        print(1_000, 0, 1_000, 3);
        print(2_000, 0, 2_000, 5);
        print(9_000, 0, 9_000, 14);
        print(9_000, 0, 9_000, 24);

        assertThat(out.toString().lines())
                .containsExactly(
                        "read 1,000   scored 0   rejected 1,000 (all: JSON)",
                        "read 9,000   scored 0   rejected 9,000 (all: JSON)");
    }

    @Test
    void theFirstRejectedRecordsAreToldAtOnce() {
        print(100, 100, 0, 1);
        print(200, 150, 50, 3);

        assertThat(out.toString().lines().skip(1))
                .containsExactly("read 200   scored 150   rejected 50 (all: JSON)   25 tokens/s");
    }

    @Test
    void theMostFrequentReasonIsNamed() {
        Map<Rejection.Kind, Long> rejected =
                Map.of(
                        Rejection.Kind.JSON,
                        2L,
                        Rejection.Kind.CONFLUENT,
                        4L,
                        Rejection.Kind.MODEL,
                        1L);
        progress.print(new JobCounts(9, 2, 0, rejected, Map.of()), SECOND);

        assertThat(out.toString().lines())
                .containsExactly("read 9   scored 2   rejected 7 (most: Confluent's wire format)");
    }

    /** Failed choices leave their tokens without an expert, and the tokens count as scored. */
    @Test
    void choicesThatNoExpertExecutedAreToldAsShares() {
        printChoices(10, Map.of(Outcome.EXECUTED, 10L), 1);
        printChoices(20, Map.of(Outcome.EXECUTED, 10L, Outcome.FAILED, 10L), 12);
        Map<Outcome, Long> mixed =
                Map.of(
                        Outcome.EXECUTED,
                        30L,
                        Outcome.FAILED,
                        15L,
                        Outcome.LATE,
                        35L,
                        Outcome.OVERFLOWED,
                        50L);
        printChoices(3_000, mixed, 23);
        Map<Outcome, Long> fewer = new EnumMap<>(mixed);
        fewer.put(Outcome.EXECUTED, 100_000L);
        fewer.put(Outcome.LATE, 36L);
        printChoices(100_000, fewer, 34);

        assertThat(out.toString().lines().map(line -> line.replaceAll(".*rejected 0", "")))
                .containsExactly(
                        "",
                        "   0.9 tokens/s   choices: 100 % failed",
                        "   271 tokens/s   choices: 4.5 % failed, 31.8 % late, 45.5 % overflowed",
                        "   8,818 tokens/s   choices: <0.1 % late");
    }

    private void printChoices(long scored, Map<Outcome, Long> outcomes, long second) {
        progress.print(new JobCounts(scored, scored, 0, Map.of(), outcomes), second * SECOND);
    }

    @Test
    void tokensThatWaitForTheCloseOfTheirWindowAreToldOnceAMinute() {
        long watermark = Instant.parse("2026-11-30T06:00:10Z").toEpochMilli();
        waiting(100, Long.MIN_VALUE, 1);
        waiting(100, Long.MIN_VALUE, 9);
        waiting(100, Long.MIN_VALUE, 11);
        waiting(300, watermark, 70);
        waiting(300, watermark, 72);

        assertThat(out.toString().lines())
                .containsExactly(
                        "100 tokens wait for the close of their window. No window closes before every"
                                + " partition has had tokens.",
                        "300 tokens wait for the close of their window. The earliest open window ends"
                                + " at 2026-11-30T06:01:00Z; event time is at 2026-11-30T06:00:10Z and"
                                + " advances only with newer tokens in every partition.");
    }

    @Test
    void noTokensWaitIfAllAreScoredRejectedOrDiverted() {
        for (int second = 1; second < 100; second += 3) {
            JobCounts counts = new JobCounts(10, 5, 3, Map.of(Rejection.Kind.JSON, 2L), Map.of());
            progress.printWaiting(counts, Long.MIN_VALUE, second * SECOND);
        }

        assertThat(out.toString()).isEmpty();
    }

    private void waiting(long count, long watermark, long second) {
        JobCounts counts = new JobCounts(count, 0, 0, Map.of(), Map.of());
        progress.print(counts, second * SECOND);
        progress.printWaiting(counts, watermark, second * SECOND);
    }

    private void print(long read, long scored, long rejected, long second) {
        progress.print(
                new JobCounts(read, scored, 0, Map.of(Rejection.Kind.JSON, rejected), Map.of()),
                second * SECOND);
    }

    @Test
    void readsWhatAJobHasDone(@TempDir Path dir) throws Exception {
        Path bundle = dir.resolve("bundle");
        CheckpointImporter.importBundle(
                Home.FLIGHTS.resolve("checkpoint"),
                Home.FLIGHTS.resolve("encoder.onnx"),
                Home.FLIGHTS.resolve("head.onnx"),
                bundle);
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, bundle.toString());
        try (EmbeddedFlink flink = new EmbeddedFlink(options)) {
            StreamExecutionEnvironment env = flink.environment();
            MoeLayers.builder(options)
                    .build()
                    .score(
                            env.fromSequence(0, Long.MAX_VALUE)
                                    .map(new Tokens())
                                    .returns(Token.TYPE))
                    .scored()
                    .sinkTo(new DiscardingSink<>());
            JobClient job = env.executeAsync();
            ScoreProgress watch =
                    new ScoreProgress(
                            flink,
                            job.getJobID(),
                            new GlobalWindow(),
                            false,
                            new PrintWriter(out, true));
            watch.start();
            long deadline = System.nanoTime() + Duration.ofMinutes(1).toNanos();
            // The first line can be of a moment when records are rejected, but none is scored yet.
            Predicate<String> isDone =
                    Pattern.compile(
                                    "read [0-9,]+   scored [1-9][0-9,]*   rejected [1-9][0-9,]*"
                                            + " \\(most: a timestamp out of range\\).*")
                            .asMatchPredicate();
            while (out.toString().lines().noneMatch(isDone)) {
                assertThat(System.nanoTime()).as("time for %s", out).isLessThan(deadline);
                TimeUnit.MILLISECONDS.sleep(100);
            }
        }
    }

    @Test
    void outlivesErrorsButNotItsCluster() throws Exception {
        ScoreProgress watch;
        try (EmbeddedFlink flink = new EmbeddedFlink(new Configuration())) {
            StreamExecutionEnvironment env = flink.environment();
            env.fromSequence(0, Long.MAX_VALUE).sinkTo(new DiscardingSink<>());
            env.executeAsync();
            JobID unknown = new JobID();
            watch =
                    new ScoreProgress(
                            flink, unknown, new GlobalWindow(), false, new PrintWriter(out));
            watch.start();
            watch.join(Duration.ofSeconds(4).toMillis());
            assertThat(watch.isAlive()).isTrue();
        }

        watch.join(Duration.ofSeconds(20).toMillis());
        assertThat(watch.isAlive()).isFalse();
    }

    /**
     * A token a millisecond; every tenth has too many values, and those of the second subtask are
     * dated beyond event time.
     */
    private static final class Tokens implements MapFunction<Long, Token> {

        private static final long serialVersionUID = 1L;
        private static final float[] FLIGHT = {0, 1, 0, 1, 0.7f, 0.3f, 0.8f, 0.7f, 12, 34};

        @Override
        public Token map(Long number) throws InterruptedException {
            TimeUnit.MILLISECONDS.sleep(1);
            float[] values = number % 10 == 0 ? Arrays.copyOf(FLIGHT, 11) : FLIGHT;
            return new Token("LAS", number, number, values);
        }
    }
}
