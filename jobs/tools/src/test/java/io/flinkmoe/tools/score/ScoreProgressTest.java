// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.api.Token;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.flink.EmbeddedFlink;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
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
    private final ScoreProgress progress = new ScoreProgress(null, null, new PrintWriter(out));

    @Test
    void firstTokensAreToldAtOnceAndMoreEveryTenSeconds() {
        progress.print(5, 0, 0, 1 * SECOND);
        progress.print(100, 90, 1, 2 * SECOND);
        progress.print(600, 590, 1, 7 * SECOND);
        progress.print(1_110, 1_090, 2, 12 * SECOND);

        assertThat(out.toString().lines())
                .containsExactly(
                        "read 100   scored 90   rejected 1",
                        "read 1,110   scored 1,090   rejected 2   100 tokens/s");
    }

    @Test
    void quietTimesAreNotToldAndNotInTheRate() {
        progress.print(90, 90, 0, 1 * SECOND);
        progress.print(90, 90, 0, 30 * SECOND);
        progress.print(90, 90, 0, 100 * SECOND);
        progress.print(390, 290, 0, 105 * SECOND);
        progress.print(1_090, 1_090, 0, 110 * SECOND);

        assertThat(out.toString().lines().skip(1))
                .containsExactly("read 1,090   scored 1,090   rejected 0   100 tokens/s");
    }

    @Test
    void restartedTasksCountAnew() {
        progress.print(90, 90, 0, 1 * SECOND);
        progress.print(20, 10, 0, 3 * SECOND);

        assertThat(out.toString().lines().skip(1))
                .containsExactly("read 20   scored 10   rejected 0");
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
                    new ScoreProgress(flink, job.getJobID(), new PrintWriter(out, true));
            watch.start();
            long deadline = System.nanoTime() + Duration.ofMinutes(1).toNanos();
            while (out.toString().isEmpty() && System.nanoTime() < deadline) {
                TimeUnit.MILLISECONDS.sleep(100);
            }
        }

        assertThat(out.toString())
                .matches("read [0-9,]+   scored [1-9][0-9,]*   rejected [1-9][0-9,]*\\R");
    }

    @Test
    void outlivesErrorsButNotItsCluster() throws Exception {
        ScoreProgress watch;
        try (EmbeddedFlink flink = new EmbeddedFlink(new Configuration())) {
            StreamExecutionEnvironment env = flink.environment();
            env.fromSequence(0, Long.MAX_VALUE).sinkTo(new DiscardingSink<>());
            env.executeAsync();
            JobID unknown = new JobID();
            watch = new ScoreProgress(flink, unknown, new PrintWriter(out));
            watch.start();
            watch.join(Duration.ofSeconds(4).toMillis());
            assertThat(watch.isAlive()).isTrue();
        }

        watch.join(Duration.ofSeconds(20).toMillis());
        assertThat(watch.isAlive()).isFalse();
    }

    /** A token a millisecond; every tenth has too many values. */
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
