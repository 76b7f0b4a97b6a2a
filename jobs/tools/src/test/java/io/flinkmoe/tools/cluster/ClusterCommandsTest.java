// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.MemorySize;
import org.junit.jupiter.api.Test;

class ClusterCommandsTest {

    /** So that a restart can remove what a killed process has left. */
    @Test
    void everyProcessHasATemporaryFolderOfItsOwn() {
        ClusterCommands commands =
                new ClusterCommands(
                        Path.of("home"),
                        new ClusterSettings(1, 1, 1, MemorySize.parse("512m"))
                                .flinkOptions(Path.of("home"), 1, 2),
                        "");

        assertThat(commands.taskManager(Path.of("log/taskmanager-1.log")))
                .contains(
                        "-Djava.io.tmpdir=home/tmp/taskmanager-1",
                        "io.tmp.dirs=home/tmp/taskmanager-1");
        assertThat(commands.jobManager(Path.of("log/jobmanager-1.log"), true))
                .contains(
                        "-Djava.io.tmpdir=home/tmp/jobmanager-1",
                        "io.tmp.dirs=home/tmp/jobmanager-1");
    }

    /** Else a JobManager that was paused meanwhile never leads again. */
    @Test
    void zooKeeperDoesNotDeleteTheNodesOfElections() {
        String property = "-Dznode.container.checkIntervalMs=";
        ClusterCommands commands = new ClusterCommands(Path.of("home"), new Configuration(), "");

        assertThat(commands.zooKeeper(Path.of("log")))
                .filteredOn(argument -> argument.startsWith(property))
                .singleElement()
                .extracting(argument -> Integer.parseInt(argument.substring(property.length())))
                .satisfies(
                        millis ->
                                assertThat(Duration.ofMillis(millis))
                                        .isGreaterThan(Duration.ofDays(7)));
    }
}
