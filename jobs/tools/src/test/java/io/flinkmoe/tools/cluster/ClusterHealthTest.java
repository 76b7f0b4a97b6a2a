// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.tools.Program;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is said about a cluster of which something does not respond. */
class ClusterHealthTest {

    private static final long PID = ProcessHandle.current().pid();

    @TempDir private Path dir;
    private Path folder;
    private FakeCluster cluster;

    @BeforeEach
    void make() throws Exception {
        System.setProperty("moe.home", dir.resolve("home").toString());
        folder = dir.resolve("cluster");
        cluster = new FakeCluster(folder);
    }

    @AfterEach
    void close() throws Exception {
        System.clearProperty("moe.home");
        cluster.close();
    }

    private Program status() {
        return Program.run("cluster", "status", "--dir", folder);
    }

    @Test
    void whatRespondsIsHealthy() throws Exception {
        cluster.zooKeeper(true).rest(2);

        assertThat(status().exitCode()).isZero();
    }

    @Test
    void aPausedZooKeeperIsNotBlamedOnTheJobManager() throws Exception {
        cluster.zooKeeper(false);

        Program status = status();

        assertThat(status.exitCode()).isEqualTo(1);
        assertThat(status.out())
                .contains(
                        "zookeeper (process %1$d) does not respond. If it was paused, continue it: kill -CONT %1$d. To replace it: kill -9 %1$d, then deploy/bin/cluster --dir %2$s resume"
                                .formatted(PID, folder))
                .doesNotContain("JobManager (");
    }

    @Test
    void aJobManagerThatDoesNotRespondIsNamedWithItsProcess() throws Exception {
        cluster.zooKeeper(true);

        assertThat(status().out())
                .contains(
                        "The REST API reaches no leading JobManager (no JobManager listens at http",
                        "needs up to a minute; later, its log says more: " + folder + "/log/jobm",
                        "To replace jobmanager-1 if it never responds: kill -9 " + PID + ", then");
    }

    @Test
    void taskManagersThatAreNotRegisteredAreCounted() throws Exception {
        cluster.zooKeeper(true).rest(1);

        assertThat(status().out()).contains("1 of 2 task managers are registered");
    }

    /** Its command line would end in stack traces. */
    @Test
    void flinksCommandLineNeedsALeadingJobManager() throws Exception {
        cluster.zooKeeper(true);
        Program silent = Program.run("cluster", "--dir", folder, "flink", "list");
        assertThat(silent.exitCode()).isEqualTo(1);
        assertThat(silent.err())
                .startsWith("moe: The REST API reaches no leading JobManager (")
                .contains("deploy/bin/cluster --dir " + folder + " resume");

        cluster.ended("jobmanager-1");
        Program dead = Program.run("cluster", "--dir", folder, "flink", "list");
        assertThat(dead.err())
                .startsWith("moe: jobmanager-1 ended. To start what ended")
                .contains("deploy/bin/cluster --dir " + folder + " resume");
    }
}
