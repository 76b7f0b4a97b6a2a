// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flink;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Optional;
import org.apache.flink.runtime.jobmanager.scheduler.NoResourceAvailableException;
import org.apache.flink.util.FlinkException;
import org.junit.jupiter.api.Test;

class TaskManagerWatchTest {

    private static final long LONG = TaskManagerWatch.PATIENCE.toNanos();

    private final TaskManagerWatch watch = new TaskManagerWatch(0);

    @Test
    void namesTheCauseAndNotItsConsequences() {
        watch.check(1, failure(new IllegalStateException("the epoch of the producer is old")), 1);
        watch.check(0, failure(new FlinkException("The TaskExecutor is shutting down.")), 2);
        watch.check(0, failure(new NoResourceAvailableException("no slots")), LONG);

        assertThatThrownBy(() -> watch.check(0, Optional.empty(), LONG + 1))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage(
                        "the task manager of this process has ended after a fatal error: the epoch of"
                                + " the producer is old");
    }

    @Test
    void waitsForATaskManagerThatLosesItsConnection() {
        assertThatCode(
                        () -> {
                            watch.check(0, Optional.empty(), LONG - 1);
                            watch.check(1, Optional.empty(), LONG);
                            watch.check(0, Optional.empty(), 2 * LONG - 1);
                        })
                .doesNotThrowAnyException();
    }

    private static Optional<Throwable> failure(Exception cause) {
        return Optional.of(new FlinkException("wrapped", cause));
    }
}
