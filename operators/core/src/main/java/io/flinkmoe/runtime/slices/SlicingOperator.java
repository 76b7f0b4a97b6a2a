// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.slices;

import io.flinkmoe.runtime.shared.AsyncThreads;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.runtime.operators.coordination.OperatorEvent;
import org.apache.flink.runtime.operators.coordination.OperatorEventGateway;
import org.apache.flink.runtime.operators.coordination.OperatorEventHandler;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.runtime.tasks.mailbox.MailboxExecutorFactory;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;

/**
 * An operator whose input triggers long work, such as the close of a window. It does the work in
 * slices between the records of its input. When a checkpoint is announced, it runs no slice until
 * the barrier has passed, as {@link CheckpointPause} has it. A {@link SlicingOperatorFactory}
 * creates it in a job.
 *
 * @param <O> the records of the output
 */
@Internal
public abstract class SlicingOperator<O> extends AbstractStreamOperator<O>
        implements OperatorEventHandler {

    private static final long serialVersionUID = 1L;

    private transient OperatorEventGateway coordinator;
    private transient Slices slices;
    private transient CheckpointPause pause;
    private transient MailboxExecutor ofOperator;
    private transient MailboxExecutor ofTask;

    /** Sets where the operator reports that it is ready for announcements. */
    void connect(OperatorEventGateway gateway) {
        coordinator = gateway;
    }

    @Override
    public void open() throws Exception {
        super.open();
        Environment task = getContainingTask().getEnvironment();
        AsyncThreads.allow(task);
        slices = new Slices(getProcessingTimeService(), task, this::runSlice);
        pause = new CheckpointPause(getProcessingTimeService(), slices);
        MailboxExecutorFactory mailbox = getContainingTask().getMailboxExecutorFactory();
        ofOperator = mailbox.createExecutor(getOperatorConfig().getChainIndex());
        ofTask = mailbox.createExecutor(TaskMailbox.MIN_PRIORITY);
        coordinator.sendEventToCoordinator(SubtaskChange.OPENED);
    }

    /**
     * Does a little of the work. Sets the current key itself.
     *
     * @return whether more is left that can be done now
     */
    protected abstract boolean runSlice() throws Exception;

    /** Makes sure that a slice runs soon. */
    protected final void startSlices() {
        slices.start();
    }

    /** Whether slices are paused until a barrier has passed. */
    protected final boolean isPaused() {
        return pause.isOn();
    }

    /**
     * Runs a slice that is due, which sets another key. Then tells whether the operator must
     * return. It must if the task has received something, such as the announcement of a checkpoint.
     */
    protected final boolean yieldsToTask() {
        ofOperator.tryYield();
        return ofTask.shouldInterrupt();
    }

    /** Learns that a checkpoint starts. */
    @Override
    public void handleOperatorEvent(OperatorEvent event) {
        pause.announce(((CheckpointAhead) event).checkpointId());
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        pause.pass(context.getCheckpointId());
        super.snapshotState(context);
    }

    @Override
    public void notifyCheckpointAborted(long checkpointId) throws Exception {
        pause.abort(checkpointId);
        super.notifyCheckpointAborted(checkpointId);
    }

    /** Does all the work that is left. */
    @Override
    public void finish() throws Exception {
        coordinator.sendEventToCoordinator(SubtaskChange.FINISHED);
        slices.drain();
        super.finish();
    }
}
