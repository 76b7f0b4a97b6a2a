// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flink;

import io.flinkmoe.scoring.cli.ErrorReport;
import java.time.Duration;
import java.util.Optional;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException;
import org.apache.flink.util.ExceptionUtils;

/**
 * Notices that the task manager of an embedded cluster has ended. On a real cluster, something
 * starts another one. Here, the job would wait for it forever.
 */
@Internal
final class TaskManagerWatch {

    /** A task manager that only loses its connection is back within this time. */
    static final Duration PATIENCE = Duration.ofSeconds(10);

    private long seenAt;
    private Optional<String> cause = Optional.empty();

    /**
     * @param now by {@link System#nanoTime()}, as all times
     */
    TaskManagerWatch(long now) {
        this.seenAt = now;
    }

    /**
     * Takes the state of the cluster.
     *
     * @param taskManagers those that are connected
     * @param failure the last failure of the job
     * @throws IllegalStateException if there has been no task manager for long
     */
    void check(int taskManagers, Optional<Throwable> failure, long now) {
        failure.filter(TaskManagerWatch::isCause)
                .map(ErrorReport::rootReason)
                .ifPresent(this::note);
        if (taskManagers > 0) {
            seenAt = now;
        } else if (now - seenAt >= PATIENCE.toNanos()) {
            throw new IllegalStateException(
                    "the task manager of this process has ended after a fatal error"
                            + cause.map(reason -> ": " + reason).orElse(""));
        }
    }

    private void note(String reason) {
        cause = Optional.of(reason);
    }

    /** Whether a failure is not only a consequence of the missing task manager. */
    private static boolean isCause(Throwable failure) {
        return ExceptionUtils.findThrowable(failure, NoResourceAvailableException.class).isEmpty()
                && ExceptionUtils.findThrowableWithMessage(failure, "TaskExecutor is shutting down")
                        .isEmpty();
    }
}
