// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import java.lang.reflect.Method;
import java.util.concurrent.RunnableFuture;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.BooleanSerializer;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.runtime.state.KeyGroupRangeAssignment;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.KeyedStateHandle;
import org.apache.flink.runtime.state.SnapshotResult;
import org.apache.flink.runtime.state.VoidNamespace;
import org.apache.flink.runtime.state.VoidNamespaceSerializer;
import org.apache.flink.state.changelog.ChangelogKeyedStateBackend;
import org.apache.flink.state.common.PeriodicMaterializationManager.MaterializationRunnable;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Flink's log of changes after a restore at another parallelism. There each subtask keeps the whole
 * log of every former subtask whose key groups it shares, until it writes its whole state. If the
 * job is rescaled again before that, Flink repeats these logs after newer changes of other
 * subtasks, and state is lost: {@code ChangelogStateBackendHandle} selects logs by key group, but
 * not the changes in them. So a subtask that was rescaled writes its whole state at once and
 * continues with an empty log.
 */
@Internal
public final class RescaledLog {

    private static final Logger LOG = LoggerFactory.getLogger(RescaledLog.class);

    /** The class is loaded only in jobs that log changes. */
    private static final String LOGGING_BACKEND =
            "org.apache.flink.state.changelog.ChangelogKeyedStateBackend";

    private static final ListStateDescriptor<Integer> PARALLELISM =
            new ListStateDescriptor<>("parallelism-of-log", IntSerializer.INSTANCE);
    private static final ValueStateDescriptor<Boolean> FIRST_CHANGE =
            new ValueStateDescriptor<>("first-change-of-log", BooleanSerializer.INSTANCE);

    private RescaledLog() {}

    /**
     * Writes the state of an operator if it is logged and was restored at another parallelism. Call
     * it at the end of {@code open}: what is written by an attempt that fails later is not deleted.
     * The operator's keys are integers.
     */
    public static void startAnew(AbstractStreamOperator<?> operator) throws Exception {
        KeyedStateBackend<Integer> backend = operator.getKeyedStateBackend();
        OperatorStateStore store = operator.getOperatorStateBackend();
        if (backend.getClass().getName().equals(LOGGING_BACKEND)) {
            if (isRescaled(operator, store.getUnionListState(PARALLELISM))) {
                Log.startAnew(backend, operator.getRuntimeContext().getTaskInfo());
            }
        } else if (store.getRegisteredStateNames().contains(PARALLELISM.getName())) {
            // Otherwise each restart would multiply what Flink keeps for a job without a log.
            store.getUnionListState(PARALLELISM).clear();
        }
    }

    /** Compares the parallelism with that of the checkpoint, and keeps it. */
    private static boolean isRescaled(
            AbstractStreamOperator<?> operator, ListState<Integer> parallelism) throws Exception {
        TaskInfo task = operator.getRuntimeContext().getTaskInfo();
        boolean isKnown = false;
        boolean isSame = true;
        for (int before : parallelism.get()) {
            isKnown = true;
            isSame &= before == task.getNumberOfParallelSubtasks();
        }
        parallelism.clear();
        if (task.getIndexOfThisSubtask() == 0) {
            parallelism.add(task.getNumberOfParallelSubtasks());
        }
        return isRestored(operator) && !(isKnown && isSame);
    }

    private static boolean isRestored(AbstractStreamOperator<?> operator) {
        return operator.getContainingTask()
                .getEnvironment()
                .getTaskStateManager()
                .getRestoreCheckpointId()
                .isPresent();
    }

    /** Uses the classes of the log. */
    private static final class Log {

        static void startAnew(KeyedStateBackend<Integer> backend, TaskInfo task) throws Exception {
            ChangelogKeyedStateBackend<Integer> logged =
                    (ChangelogKeyedStateBackend<Integer>) backend;
            logOneChange(logged, task.getMaxNumberOfParallelSubtasks());
            MaterializationRunnable state = logged.initMaterialization().orElseThrow();
            RunnableFuture<SnapshotResult<KeyedStateHandle>> write = writeOf(state);
            write.run();
            logged.handleMaterializationResult(
                    write.get(), state.getMaterializationID(), state.getMaterializedTo());
            LOG.info("{} was rescaled and has written its state", task.getTaskNameWithSubtasks());
        }

        /** Flink writes the state only if it has changed since the restore. */
        private static void logOneChange(
                ChangelogKeyedStateBackend<Integer> logged, int maxParallelism) throws Exception {
            int key = 0;
            while (!logged.getKeyGroupRange()
                    .contains(KeyGroupRangeAssignment.assignToKeyGroup(key, maxParallelism))) {
                key++;
            }
            logged.setCurrentKey(key);
            logged.getPartitionedState(
                            VoidNamespace.INSTANCE, VoidNamespaceSerializer.INSTANCE, FIRST_CHANGE)
                    .clear();
        }

        /** Flink's getter is not public. */
        @SuppressWarnings("unchecked")
        private static RunnableFuture<SnapshotResult<KeyedStateHandle>> writeOf(
                MaterializationRunnable state) throws ReflectiveOperationException {
            Method getter =
                    MaterializationRunnable.class.getDeclaredMethod("getMaterializationRunnable");
            getter.setAccessible(true);
            return (RunnableFuture<SnapshotResult<KeyedStateHandle>>) getter.invoke(state);
        }
    }
}
