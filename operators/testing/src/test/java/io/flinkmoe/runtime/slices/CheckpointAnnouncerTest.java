// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.slices;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.runtime.executiongraph.ExecutionAttemptID;
import org.apache.flink.runtime.messages.Acknowledge;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator.SubtaskGateway;
import org.apache.flink.runtime.operators.coordination.OperatorEvent;
import org.junit.jupiter.api.Test;

/** Which subtasks a checkpoint is announced to. */
class CheckpointAnnouncerTest {

    private final CheckpointAnnouncer announcer = new CheckpointAnnouncer();
    private final List<String> received = new ArrayList<>();

    /** Receives the events for a subtask. */
    private SubtaskGateway gateway(int subtask) {
        return new SubtaskGateway() {
            @Override
            public CompletableFuture<Acknowledge> sendEvent(OperatorEvent event) {
                received.add(subtask + ": " + ((CheckpointAhead) event).checkpointId());
                return new CompletableFuture<>();
            }

            @Override
            public ExecutionAttemptID getExecution() {
                return null;
            }

            @Override
            public int getSubtask() {
                return subtask;
            }
        };
    }

    private void start(int subtask, int attempt) {
        announcer.handleEventFromOperator(subtask, attempt, SubtaskChange.OPENED);
        announcer.executionAttemptReady(subtask, attempt, gateway(subtask));
    }

    private List<String> checkpoint(long id) {
        received.clear();
        CompletableFuture<byte[]> result = new CompletableFuture<>();
        announcer.checkpointCoordinator(id, result);
        assertThat(result).isCompletedWithValueMatching(state -> state.length == 0);
        return received;
    }

    @Test
    void allSubtasksThatProcessRecords() {
        start(0, 0);
        start(1, 0);
        assertThat(checkpoint(5)).containsExactlyInAnyOrder("0: 5", "1: 5");
    }

    @Test
    void noneThatIsNotOpenOrNotReady() {
        announcer.executionAttemptReady(0, 0, gateway(0));
        announcer.handleEventFromOperator(1, 0, SubtaskChange.OPENED);
        assertThat(checkpoint(1)).isEmpty();
    }

    @Test
    void noneThatHasFinished() {
        start(0, 0);
        start(1, 0);
        announcer.handleEventFromOperator(0, 0, SubtaskChange.FINISHED);
        assertThat(checkpoint(1)).containsExactly("1: 1");
    }

    @Test
    void noneThatHasFailedUntilItsNextAttemptRuns() {
        start(0, 0);
        start(1, 0);
        announcer.executionAttemptFailed(0, 0, null);
        announcer.subtaskReset(0, 1);
        assertThat(checkpoint(2)).containsExactly("1: 2");
        start(0, 1);
        assertThat(checkpoint(3)).containsExactlyInAnyOrder("0: 3", "1: 3");
    }

    @Test
    void aSubtaskThatIsRestoredAsFinishedGetsNone() {
        start(0, 0);
        announcer.executionAttemptFailed(0, 0, null);
        announcer.executionAttemptReady(0, 1, gateway(0));
        assertThat(checkpoint(1)).isEmpty();
    }

    @Test
    void noneOfAnAttemptBeforeTheResetOfTheJob() {
        start(0, 0);
        start(1, 0);
        announcer.subtaskReset(0, 1);
        assertThat(checkpoint(2)).containsExactly("1: 2");
        announcer.resetToCheckpoint(1, null);
        assertThat(checkpoint(3)).isEmpty();
    }
}
