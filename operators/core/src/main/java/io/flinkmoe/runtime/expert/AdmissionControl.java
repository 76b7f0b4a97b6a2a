package io.flinkmoe.runtime.expert;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.runtime.shared.WatermarkState;
import io.flinkmoe.runtime.shared.WindowCounters;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * Who of the rows that ask an expert finds room. Rows are judged when they come: late (their window
 * is closed), turned away (the window's capacity is used up), or admitted. Where admission is
 * prioritized, and in every round but the first, rows that are not late wait in a {@link
 * WindowQueue} for the close of their window. What is admitted is called; what is turned away goes
 * to the expert that it tries in the next round, or is answered where there is none. All methods
 * speak of the current key.
 */
@Internal
final class AdmissionControl {

    private final Capacity capacity;
    private final int round;
    private final WatermarkState watermark;
    private final WindowCounters accounts;
    private final WindowQueue queue;
    private final CallScheduler calls;
    private final ExpertOutput output;
    private final ExpertMetrics[] metrics;

    /**
     * @param capacity C per expert and window
     * @param round the round of admission, 0 to {@link Capacity#overflowRounds()}
     * @param accounts whose timers call {@link #close}
     * @param queue what waits for the close of its window; null: rows are admitted as they come
     * @param calls of the experts here
     * @param metrics by expert
     */
    AdmissionControl(
            Capacity capacity,
            int round,
            WatermarkState watermark,
            WindowCounters accounts,
            WindowQueue queue,
            CallScheduler calls,
            ExpertOutput output,
            ExpertMetrics[] metrics) {
        this.capacity = capacity;
        this.round = round;
        this.watermark = watermark;
        this.accounts = accounts;
        this.queue = queue;
        this.calls = calls;
        this.output = output;
        this.metrics = metrics;
    }

    /** Judges the rows of a block, in order. */
    void judge(DispatchBlock block) throws Exception {
        int[] late = new int[block.rows()];
        int[] refused = new int[block.rows()];
        int[] others = new int[block.rows()];
        int lateRows = 0;
        int refusedRows = 0;
        int otherRows = 0;
        long now = watermark.of(block.expert());
        for (int row = 0; row < block.rows(); row++) {
            long timestamp = block.timestamps()[row];
            if (capacity.windows().isClosed(timestamp, now)) {
                accounts.count(timestamp, Outcome.LATE, 1);
                late[lateRows++] = row;
            } else if (queue != null) {
                others[otherRows++] = row;
            } else if (capacity.roomLeft(accounts.at(timestamp)) > 0) {
                accounts.count(timestamp, Outcome.EXECUTED, 1);
                others[otherRows++] = row;
            } else {
                accounts.count(timestamp, Outcome.OVERFLOWED, 1);
                refused[refusedRows++] = row;
            }
        }
        accounts.save();
        metrics[block.expert()].late.inc(lateRows);
        output.settle(block, Arrays.copyOf(late, lateRows), Outcome.LATE);
        turnAway(block, Arrays.copyOf(refused, refusedRows));
        callOrHold(block, Arrays.copyOf(others, otherRows));
    }

    private void callOrHold(DispatchBlock block, int[] rows) throws Exception {
        if (queue == null) {
            calls.add(block, rows);
        } else {
            queue.hold(block, rows);
            metrics[block.expert()].held.inc(rows.length);
        }
    }

    /** Sends rows to the experts that they try next; answers those that have none. */
    private void turnAway(DispatchBlock block, int[] rows) {
        ExpertMetrics ofExpert = metrics[block.expert()];
        Priorities priorities = block.priorities();
        for (int[] alike : RowGroups.of(rows, row -> priorities.next(row, block.attempt()))) {
            int next = priorities.next(alike[0], block.attempt());
            if (next < 0) {
                ofExpert.overflowed.inc(alike.length);
                output.settle(block, alike, Outcome.OVERFLOWED);
            } else {
                ofExpert.passedOn.inc(alike.length);
                output.retry(block.retry(next, alike));
            }
        }
    }

    /**
     * Closes a window: calls what finds room among the rows that waited for it, turns away the
     * others, and tells the next round what room is left.
     */
    void close(int expert, long windowStart) throws Exception {
        int roomLeft;
        if (queue == null) {
            roomLeft = capacity.roomLeft(accounts.at(windowStart));
        } else {
            WindowQueue.Close close = queue.close(windowStart);
            for (WindowQueue.Decision decision : close.blocks()) {
                accounts.count(windowStart, Outcome.OVERFLOWED, decision.refused().length);
                accounts.count(windowStart, Outcome.EXECUTED, decision.admitted().length);
                metrics[expert].released(decision.block().rows());
                turnAway(decision.block(), decision.refused());
                calls.add(decision.block(), decision.admitted());
            }
            calls.run(expert);
            roomLeft = close.roomLeft();
        }
        // What comes late opens an account once more, and its close says nothing of the room.
        boolean closedBefore = capacity.windows().isClosed(windowStart, watermark.before(expert));
        if (round < capacity.overflowRounds() && !closedBefore) {
            output.retry(new RemainingCapacity(expert, windowStart, roomLeft));
        }
    }

    /** Corrects the accounts: admission counted rows as executed that failed then. */
    void countFailed(DispatchBlock block, int[] rows, byte[] outcomes) throws Exception {
        for (int i = 0; i < rows.length; i++) {
            if (outcomes[i] == Outcome.FAILED.code()) {
                accounts.count(block.timestamps()[rows[i]], Outcome.EXECUTED, -1);
                accounts.count(block.timestamps()[rows[i]], Outcome.FAILED, 1);
            }
        }
        accounts.save();
    }
}
