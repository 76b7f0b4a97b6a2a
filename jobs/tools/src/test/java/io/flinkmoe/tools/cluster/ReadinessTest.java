// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.tools.machine.Installation;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a start and a resume wait for, and whom they blame. */
class ReadinessTest {

    private static final Readiness.Goal START = Readiness.Goal.ofStart(2);

    @TempDir private Path dir;
    private FakeCluster cluster;

    @BeforeEach
    void make() throws Exception {
        cluster = new FakeCluster(dir.resolve("cluster"));
    }

    @AfterEach
    void close() throws Exception {
        cluster.close();
    }

    private void await(Readiness.Goal goal) throws IOException {
        ClusterProcesses processes =
                new ClusterProcesses(
                        dir.resolve("cluster"), new Installation(dir), cluster.options());
        try (ClusterRest rest = new ClusterRest(cluster.options())) {
            new Readiness(processes, rest, Duration.ofMillis(100)).await(goal);
        }
    }

    @Test
    void itIsReadyWithAllTaskManagers() throws Exception {
        cluster.rest(2);

        assertThatCode(() -> await(START)).doesNotThrowAnyException();
    }

    @Test
    void aTaskManagerThatIsMissingIsNamed() throws Exception {
        cluster.rest(1)
                .log("jobmanager-1", "innocent")
                .log("taskmanager-1", "Successful registration at resource manager akka")
                .log("taskmanager-2", "guilty");

        assertThatThrownBy(() -> await(START))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(
                        "1 of 2 task managers are registered, and taskmanager-2 is not; the end of"
                                + " its log, ")
                .hasMessageContaining("guilty")
                .hasMessageNotContaining("innocent");
    }

    @Test
    void aJobManagerThatDoesNotLeadIsNamed() {
        assertThatThrownBy(() -> await(START))
                .hasMessageContaining("jobmanager-1 does not lead (no JobManager listens at http");
    }

    @Test
    void aProcessThatEndedIsNamed() throws Exception {
        cluster.rest(2).ended("taskmanager-1");

        assertThatThrownBy(() -> await(START)).hasMessageStartingWith("taskmanager-1 ended");
    }

    /** One that was killed stays registered for a while. */
    @Test
    void aResumeWaitsForTheTaskManagersThatItStarted() throws Exception {
        cluster.rest(2);

        assertThatThrownBy(() -> await(resume(Set.of("id-0", "id-1"), 0)))
                .hasMessageContaining("1 of 2 task managers are registered");
        assertThatCode(() -> await(resume(Set.of("id-0"), 0))).doesNotThrowAnyException();
    }

    @Test
    void aResumeWaitsForTheJobs() throws Exception {
        cluster.rest(2);

        assertThatThrownBy(() -> await(resume(Set.of("id-0"), 1)))
                .hasMessageContaining("0 of 1 jobs are continued by jobmanager-1");
    }

    @Test
    void aResumeWaitsUntilTheLeadershipLasts() throws Exception {
        cluster.rest(2);
        long before = System.nanoTime();

        await(new Readiness.Goal(2, Set.of(), 2, 0, Duration.ofMillis(700)));

        assertThat(Duration.ofNanos(System.nanoTime() - before))
                .isGreaterThan(Duration.ofMillis(700));
    }

    private static Readiness.Goal resume(Set<String> known, long jobs) {
        return new Readiness.Goal(2, known, 1, jobs, Duration.ZERO);
    }
}
