// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Program;
import io.flinkmoe.tools.machine.Installation;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.configuration.MemorySize;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real cluster whose processes pause and die. */
class RecoveryIT {

    @TempDir private static Path dir;

    private static Path folder;
    private static LocalCluster cluster;

    @BeforeAll
    static void start() throws IOException {
        System.setProperty("moe.home", Home.ROOT.toString());
        folder = dir.resolve("cluster");
        cluster =
                LocalCluster.startForThisProcess(
                        folder,
                        Installation.here(),
                        new ClusterSettings(1, 1, 1, MemorySize.parse("256m")));
    }

    @AfterAll
    static void stop() throws IOException {
        if (cluster != null) {
            cluster.close();
        }
        System.clearProperty("moe.home");
    }

    @Test
    void aJobManagerThatWasPausedLeadsAgain() throws Exception {
        String jobManager = cluster.jobManagers().get(0);
        signal("STOP", jobManager);
        try {
            Program status = status(); // It waits longer than the session with ZooKeeper lasts.
            assertThat(status.exitCode()).isEqualTo(1);
            assertThat(status.out()).contains("The REST API reaches no leading JobManager (");
        } finally {
            signal("CONT", jobManager);
        }
        awaitGoodStatus();
    }

    @Test
    @Tag("slow")
    void whatHasEndedIsNamedAndStartedAgain() throws Exception {
        for (ClusterMember member : cluster.members()) {
            cluster.kill(member.name());
        }

        Program status = status();
        assertThat(status.exitCode()).isEqualTo(1);
        assertThat(status.out())
                .contains(
                        "jobmanager-1, taskmanager-1, zookeeper ended.",
                        "deploy/bin/cluster --dir %s resume".formatted(folder));
        assertThatThrownBy(() -> LocalCluster.find(folder, Installation.here()))
                .isInstanceOf(IOException.class)
                .hasMessageContainingAll("ended", "cluster --dir %s resume".formatted(folder));

        Program resume = Program.run("cluster", "resume", "--dir", folder);
        cluster.endWithThisProcess();

        assertThat(resume.exitCode()).as(resume.err()).isZero();
        assertThat(resume.out()).contains("Started jobmanager-1, taskmanager-1, zookeeper");
        awaitGoodStatus();
        Program again = Program.run("cluster", "resume", "--dir", folder);
        assertThat(again.out()).contains("All processes run.");
    }

    private static void awaitGoodStatus() throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofMinutes(2).toNanos();
        Program status = status();
        while (status.exitCode() != 0) {
            assertThat(System.nanoTime()).as(status.out()).isLessThan(deadline);
            Thread.sleep(500);
            status = status();
        }
    }

    private static Program status() {
        return Program.run("cluster", "status", "--dir", folder);
    }

    private static void signal(String signal, String name) throws Exception {
        long pid =
                cluster.members().stream()
                        .filter(member -> member.name().equals(name))
                        .findFirst()
                        .orElseThrow()
                        .pid();
        assertThat(new ProcessBuilder("kill", "-" + signal, "" + pid).start().waitFor()).isZero();
    }
}
