// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flink;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.tools.machine.FreePorts;
import io.flinkmoe.tools.score.RestartWatch;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.configuration.JobManagerOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.apache.flink.configuration.TaskManagerOptions;
import org.apache.flink.configuration.WebOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class EmbeddedFlinkIT {

    private final StringWriter err = new StringWriter();

    @Test
    void onlyThisMachineReachesItAndItTakesNoJars() {
        try (EmbeddedFlink flink = new EmbeddedFlink(new Configuration())) {
            ReadableConfig options = flink.environment().getConfiguration();

            assertThat(options.get(RestOptions.BIND_ADDRESS)).isEqualTo("localhost");
            assertThat(options.get(WebOptions.SUBMIT_ENABLE)).isFalse();
        }
    }

    @Test
    void whatTheUserSetsStays() {
        Configuration given = new Configuration();
        given.set(RestOptions.BIND_ADDRESS, "0.0.0.0");
        given.set(WebOptions.SUBMIT_ENABLE, true);
        given.set(CoreOptions.DEFAULT_PARALLELISM, 3);

        try (EmbeddedFlink flink = new EmbeddedFlink(given)) {
            ReadableConfig options = flink.environment().getConfiguration();

            assertThat(options.get(RestOptions.BIND_ADDRESS)).isEqualTo("0.0.0.0");
            assertThat(options.get(WebOptions.SUBMIT_ENABLE)).isTrue();
            assertThat(options.get(CoreOptions.DEFAULT_PARALLELISM)).isEqualTo(3);
        }
    }

    @Test
    void restartsAreToldWithTheirCauseAndTheClusterIsGoneOnceClosed() throws Exception {
        FailTwice.RUNS.set(0);
        int port = FreePorts.find(1)[0];
        Configuration options = new Configuration();
        options.set(RestOptions.PORT, port);
        options.set(CoreOptions.DEFAULT_PARALLELISM, 1);
        options.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        options.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 2);
        options.set(
                RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofSeconds(2));
        try (EmbeddedFlink flink = new EmbeddedFlink(options)) {
            StreamExecutionEnvironment env = flink.environment();
            env.fromSequence(1, 1).map(new FailTwice()).sinkTo(new DiscardingSink<>());

            JobClient job = env.executeAsync();
            new RestartWatch(flink, job.getJobID(), new PrintWriter(err)).start();
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
                assertThat(socket.isConnected()).isTrue();
            }
            job.getJobExecutionResult().get(1, TimeUnit.MINUTES);
        }

        assertThat(err.toString().lines())
                .containsExactly("moe: the job failed and restarts: the broker is gone");
        assertThatThrownBy(() -> new Socket(InetAddress.getLoopbackAddress(), port).close())
                .isInstanceOf(ConnectException.class);
    }

    /** Flink would wait for another task manager forever. */
    @Test
    @Tag("slow")
    void theEndOfTheTaskManagerFailsTheJob() throws Exception {
        Configuration options = new Configuration();
        options.set(CoreOptions.DEFAULT_PARALLELISM, 1);
        options.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        options.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 1_000);
        options.set(JobManagerOptions.EXECUTION_FAILOVER_STRATEGY, "full");
        options.set(TaskManagerOptions.TASK_CANCELLATION_TIMEOUT, Duration.ofMillis(200));
        try (EmbeddedFlink flink = new EmbeddedFlink(options)) {
            StreamExecutionEnvironment env = flink.environment();
            env.fromSequence(1, 1).map(new NeverEnds()).sinkTo(new DiscardingSink<>());
            env.fromSequence(1, 1).map(new FailWhenOtherRuns()).sinkTo(new DiscardingSink<>());
            JobClient job = env.executeAsync();

            assertThatThrownBy(() -> flink.await(job))
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessage(
                            "the task manager of this process has ended after a fatal error: the"
                                    + " broker is gone");
        } finally {
            NeverEnds.END.countDown();
        }
    }

    @Test
    void sameCauseIsToldOnceAMinute() {
        RestartWatch watch = new RestartWatch(null, null, new PrintWriter(err));

        watch.failed("no position for in-1\nand more", 1_000);
        watch.failed("no position for in-2", 60_000);
        watch.failed("no answer", 60_000);
        watch.failed("no position for in-1", 61_000);

        assertThat(err.toString().lines().map(line -> line.replaceAll(".*: ", "")))
                .containsExactly("no position for in-1", "no answer", "no position for in-1");
    }

    private static final class FailTwice implements MapFunction<Long, Long> {

        private static final long serialVersionUID = 1L;
        private static final AtomicInteger RUNS = new AtomicInteger();

        @Override
        public Long map(Long value) {
            if (RUNS.getAndIncrement() < 2) {
                throw new IllegalStateException(
                        "outer", new IllegalStateException("the broker is gone"));
            }
            return value;
        }
    }

    /** A task that cannot be cancelled, which is fatal. */
    private static final class NeverEnds implements MapFunction<Long, Long> {

        private static final long serialVersionUID = 1L;
        private static final CountDownLatch RUNS = new CountDownLatch(1);
        private static final CountDownLatch END = new CountDownLatch(1);

        @Override
        public Long map(Long value) {
            RUNS.countDown();
            while (END.getCount() > 0) {
                try {
                    END.await();
                } catch (InterruptedException e) {
                    // It does not listen.
                }
            }
            return value;
        }
    }

    private static final class FailWhenOtherRuns implements MapFunction<Long, Long> {

        private static final long serialVersionUID = 1L;

        @Override
        public Long map(Long value) throws InterruptedException {
            NeverEnds.RUNS.await();
            throw new IllegalStateException("the broker is gone");
        }
    }
}
