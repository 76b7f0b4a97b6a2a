package io.flinkmoe.runtime.expert;

import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.shared.Linger;
import java.util.function.BooleanSupplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Whose turn it is, among experts that share a thread. A call that is full is made at once. Others
 * are made, the fullest first, once rows have waited for the linger and while no further input
 * waits: input fills calls, and big calls are what makes experts fast. So under load calls are
 * full, and a thread that has rows is never idle for longer than the linger.
 */
@Internal
final class CallScheduler {

    /** How often calls may be put off because input waits, until all are made. */
    private static final int MAX_DEFERRALS = 8;

    private final ExpertCalls[] calls;
    private final Linger linger;
    private final BooleanSupplier inputWaits;
    private int deferrals;

    /**
     * @param calls by expert; null for those that are not here
     * @param lingerMillis how long rows wait at most while no further input does
     * @param inputWaits whether there is more input to take
     */
    CallScheduler(
            ExpertCalls[] calls,
            ProcessingTimeService time,
            long lingerMillis,
            BooleanSupplier inputWaits) {
        this.calls = calls;
        this.linger = new Linger(time, lingerMillis, at -> runWhileNoInputWaits());
        this.inputWaits = inputWaits;
    }

    /**
     * Adds rows of a block to those that wait for the block's expert.
     *
     * @param rows rows of the block, ascending
     */
    void add(DispatchBlock block, int[] rows) throws Exception {
        ExpertCalls expert = calls[block.expert()];
        expert.add(block, rows);
        if (expert.waiting() > 0) {
            linger.start();
        }
    }

    /** Makes the calls that wait, of one expert. */
    void run(int expert) throws Exception {
        calls[expert].run();
    }

    /** Makes all calls that wait. */
    void runAll() throws Exception {
        for (ExpertCalls expert : calls) {
            if (expert != null) {
                expert.run();
            }
        }
        deferrals = 0;
    }

    private void runWhileNoInputWaits() throws Exception {
        for (ExpertCalls next = fullest(); next != null; next = fullest()) {
            if (inputWaits.getAsBoolean() && deferrals < MAX_DEFERRALS) {
                deferrals++;
                linger.start();
                return;
            }
            next.run();
        }
        deferrals = 0;
    }

    private ExpertCalls fullest() {
        ExpertCalls fullest = null;
        for (ExpertCalls expert : calls) {
            if (expert != null
                    && expert.waiting() > 0
                    && (fullest == null || expert.waiting() > fullest.waiting())) {
                fullest = expert;
            }
        }
        return fullest;
    }
}
