package io.flinkmoe.runtime.expert;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.config.ExpertBatching;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.streaming.runtime.tasks.TestProcessingTimeService;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CallSchedulerTest {

    private static final int N = 4;
    private static final int BATCH = 8;
    private static final int LINGER = 2;

    @TempDir private Path directory;

    private final TestProcessingTimeService time = new TestProcessingTimeService();
    private final List<Integer> ran = new ArrayList<>();
    private boolean inputWaits;
    private BundleSessions sessions;
    private CallScheduler turns;

    @BeforeEach
    void openExperts() throws Exception {
        sessions = new BundleSessions(TinyBundle.write(directory.resolve("bundle"), N, 2, 1));
        ExpertCalls[] experts = new ExpertCalls[N];
        for (int expert = 0; expert < N; expert++) {
            experts[expert] =
                    new ExpertCalls(
                            sessions.expert(0, expert),
                            new ExpertCalls.Buffers(
                                    new ExpertBatching(BATCH, Duration.ZERO, false), N),
                            (block, rows, outcomes, vectors) -> ran.add(block.expert()),
                            (model, rows, cause) -> {},
                            new ExpertMetrics(new UnregisteredMetricsGroup(), expert, 0));
        }
        turns = new CallScheduler(experts, time, LINGER, () -> inputWaits);
        time.setCurrentTime(100);
    }

    @AfterEach
    void closeExperts() {
        sessions.close();
    }

    @Test
    void makesTheFullestCallFirstWhenTheLingerEnds() throws Exception {
        add(1, 2);
        add(0, 5);
        add(3, 1);
        time.setCurrentTime(101);
        assertThat(ran).isEmpty();
        time.setCurrentTime(102);
        assertThat(ran).containsExactly(0, 1, 3);
    }

    @Test
    void letsInputFillCallsFirst() throws Exception {
        inputWaits = true;
        add(2, 5);
        time.setCurrentTime(102);
        assertThat(ran).isEmpty();
        add(2, 3);
        assertThat(ran).as("full").containsExactly(2, 2);

        add(1, 1);
        inputWaits = false;
        time.setCurrentTime(104);
        assertThat(ran).containsExactly(2, 2, 1);
    }

    @Test
    void doesNotPutOffCallsForEver() throws Exception {
        inputWaits = true;
        add(0, 1);
        for (int now = 102; now < 200 && ran.isEmpty(); now++) {
            time.setCurrentTime(now);
        }
        assertThat(ran).containsExactly(0);
        assertThat(time.getCurrentProcessingTime()).isEqualTo(100 + 9 * LINGER);
    }

    private void add(int expert, int rows) throws Exception {
        int[] all = IntStream.range(0, rows).toArray();
        turns.add(
                new DispatchBlock(
                        expert,
                        0,
                        0,
                        0,
                        all,
                        new long[rows],
                        Priorities.NONE,
                        Vectors.of(new byte[rows * N * Float.BYTES])),
                all);
    }
}
