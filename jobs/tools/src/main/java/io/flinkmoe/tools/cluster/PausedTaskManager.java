// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import java.io.IOException;
import org.apache.flink.annotation.Internal;

/**
 * A task manager that is stopped with SIGSTOP while another one takes its place. The JobManager
 * takes it for dead. When it is resumed, it is a zombie: it goes on with what it did, until it
 * learns that its tasks run elsewhere.
 */
@Internal
public final class PausedTaskManager {

    private final LocalCluster cluster;
    private final String name;
    private final String replacement;

    private PausedTaskManager(LocalCluster cluster, String name, String replacement) {
        this.cluster = cluster;
        this.name = name;
        this.replacement = replacement;
    }

    /** Stops a task manager, and starts another one. */
    public static PausedTaskManager pause(LocalCluster cluster, String name) throws IOException {
        ClusterProcesses processes = cluster.processes();
        String replacement = ClusterProcesses.TASK_MANAGER + (cluster.taskManagers().size() + 1);
        processes.signal(name, "STOP");
        processes.launch(replacement);
        return new PausedTaskManager(cluster, name, replacement);
    }

    /** The name of the task manager that was started instead. */
    public String replacement() {
        return replacement;
    }

    /** Lets it go on. */
    public void resume() throws IOException {
        cluster.processes().signal(name, "CONT");
    }

    /** Kills it. */
    public void kill() throws IOException {
        cluster.kill(name);
    }
}
