// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.Test;

class ClusterCommandsTest {

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
