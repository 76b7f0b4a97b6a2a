// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.slices;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator;
import org.apache.flink.runtime.operators.coordination.OperatorEvent;

/**
 * Announces each checkpoint to the subtasks of an operator. Flink asks the coordinators of a job
 * for their checkpoints first. It lets the sources send barriers only when all subtasks have
 * received what their coordinators have sent. So no barrier is faster than its announcement.
 *
 * <p>Only a subtask that processes records gets announcements. One that has finished, or was
 * already finished in the checkpoint that the job starts from, cannot receive any, and the
 * checkpoint would fail. The coordinator has no state.
 */
@Internal
final class CheckpointAnnouncer implements OperatorCoordinator {

    private static final byte[] NO_STATE = {};

    private final Map<Integer, SubtaskGateway> running = new HashMap<>();
    private final Set<Integer> open = new HashSet<>();

    /** Creates the coordinator on the job manager. */
    record Provider(OperatorID getOperatorId) implements OperatorCoordinator.Provider {
        @Override
        public OperatorCoordinator create(Context context) {
            return new CheckpointAnnouncer();
        }
    }

    @Override
    public void start() {}

    @Override
    public void executionAttemptReady(int subtask, int attempt, SubtaskGateway gateway) {
        running.put(subtask, gateway);
    }

    @Override
    public void handleEventFromOperator(int subtask, int attempt, OperatorEvent event) {
        if (event == SubtaskChange.OPENED) {
            open.add(subtask);
        } else {
            open.remove(subtask);
        }
    }

    @Override
    public void executionAttemptFailed(int subtask, int attempt, Throwable reason) {
        forget(subtask);
    }

    @Override
    public void checkpointCoordinator(long checkpointId, CompletableFuture<byte[]> result) {
        running.forEach(
                (subtask, gateway) -> {
                    if (open.contains(subtask)) {
                        gateway.sendEvent(new CheckpointAhead(checkpointId));
                    }
                });
        result.complete(NO_STATE); // Flink waits for the events.
    }

    @Override
    public void notifyCheckpointComplete(long checkpointId) {}

    @Override
    public void resetToCheckpoint(long checkpointId, byte[] checkpoint) {
        running.clear();
        open.clear();
    }

    @Override
    public void subtaskReset(int subtask, long checkpointId) {
        forget(subtask);
    }

    private void forget(int subtask) {
        running.remove(subtask);
        open.remove(subtask);
    }

    @Override
    public void close() {}
}
