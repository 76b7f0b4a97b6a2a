// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.tools.machine.Installation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whose folder a cluster takes, and what it removes there. */
class ClusterFolderTest {

    @TempDir private Path dir;
    private Path path;
    private Installation installation;

    @BeforeEach
    void name() {
        path = dir.resolve("cluster");
        installation = new Installation(dir.resolve("home"));
    }

    private ClusterFolder folder() {
        return new ClusterFolder(path, installation);
    }

    @ParameterizedTest
    @ValueSource(strings = {"conf", "log", "tmp", "ha", "pids", "zookeeper", "src"})
    void aFolderOfSomebodyElseIsNotTouched(String name) throws Exception {
        Path file = Files.createDirectories(path.resolve(name)).resolve("mine");
        Files.writeString(file, "mine");

        assertThatThrownBy(folder()::prepare)
                .isInstanceOf(IOException.class)
                .hasMessage(
                        "The cluster's folder is %s, which is not empty and was not made by a"
                                + " cluster (it has no file .flink-moe-cluster). Choose a new or an"
                                + " empty one: deploy/bin/cluster --dir DIR start",
                        path);
        assertThatThrownBy(() -> LocalCluster.findStarted(path, installation))
                .hasMessageStartingWith("No cluster runs in " + path);
        assertThat(file).hasContent("mine");
        assertThat(path.toFile().list()).containsExactly(name);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "cluster", "cluster/lost+found"})
    void aNewFolderAndAnEmptyOneAreTaken(String existing) throws Exception {
        Files.createDirectories(dir.resolve(existing));

        folder().prepare();
        folder().prepare();

        assertThat(path.resolve(ClusterFolder.MARK)).exists();
        assertThat(path.resolve("conf")).isEmptyDirectory();
    }

    @Test
    void aFileIsNoFolder() throws Exception {
        Files.createFile(path);

        assertThatThrownBy(folder()::prepare)
                .hasMessageStartingWith("The cluster's folder is " + path + "; it is a file;");
    }

    @Test
    void aStoppedClusterLeavesCheckpointsAndSavepointsToTheNext() throws Exception {
        folder().prepare();
        for (String file : new String[] {"ha/x", "tmp/x", "savepoints/x", "checkpoints/x"}) {
            Files.createDirectories(path.resolve(file));
        }

        folder().prepare();

        assertThat(path.resolve("ha")).doesNotExist();
        assertThat(path.resolve("tmp")).isEmptyDirectory();
        assertThat(path.resolve("savepoints/x")).exists();
        assertThat(path.resolve("checkpoints/x")).exists();
    }

    @Test
    void jobsThatCanContinueAreNotDiscarded() throws Exception {
        try (FakeCluster cluster = new FakeCluster(path)) {
            for (String name : new String[] {"zookeeper", "jobmanager-1", "taskmanager-1"}) {
                cluster.ended(name);
            }
            cluster.ended("taskmanager-2").job();
        }

        assertThatThrownBy(folder()::prepare)
                .hasMessage(
                        "The cluster in %1$s ended without being stopped; 1 job can continue from"
                                + " its last checkpoint. To continue: deploy/bin/cluster --dir %1$s"
                                + " resume. To discard: deploy/bin/cluster --dir %1$s stop, then start"
                                + " again",
                        path);
        assertThat(folder().jobs()).isEqualTo(1);

        LocalCluster.findStarted(path, installation).stop();
        folder().prepare();
        assertThat(folder().jobs()).isZero();
    }

    @Test
    void aClusterThatRunsIsNamedWithItsFolder() throws Exception {
        try (FakeCluster cluster = new FakeCluster(path)) {
            assertThatThrownBy(folder()::prepare)
                    .hasMessage(
                            "A cluster already runs in %1$s. Stop it first: deploy/bin/cluster"
                                    + " --dir %1$s stop",
                            path);
            assertThat(cluster.find().members()).hasSize(4);
        }
    }

    @Test
    void commandsNameEveryFolderButTheDefault() {
        assertThat(folder().command("stop"))
                .isEqualTo("deploy/bin/cluster --dir " + path + " stop");
        path = dir.resolve("a b");
        assertThat(folder().command("stop"))
                .isEqualTo("deploy/bin/cluster --dir '" + path + "' stop");
        path = installation.clusterFolder();
        assertThat(folder().command("stop")).isEqualTo("deploy/bin/cluster stop");
        assertThatThrownBy(() -> LocalCluster.find(path, installation))
                .hasMessageEndingWith(
                        "Start one: deploy/bin/cluster start. If it runs in another folder, name"
                                + " that: --dir DIR, or moe score --cluster=DIR");
    }
}
