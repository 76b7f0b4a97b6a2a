package io.flinkmoe.runtime.router;

import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.onnx.LayerRouter;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.shared.WatermarkState;
import io.flinkmoe.runtime.shared.WindowCounters;
import org.apache.flink.annotation.Internal;

/**
 * Settles the choices that no expert is asked: those of late tokens, of tokens that cannot be
 * routed, and those that a random policy left out. Keeps the router's accounts of all.
 */
@Internal
final class LatenessFilter {

    private final Capacity capacity;
    private final WatermarkState watermark;
    private final WindowCounters accounts;
    private final int k;

    /**
     * @param capacity what the experts have room for, or null: then nothing is late, or counted
     * @param accounts null without capacity
     */
    LatenessFilter(Capacity capacity, WatermarkState watermark, WindowCounters accounts, int k) {
        this.capacity = capacity;
        this.watermark = watermark;
        this.accounts = accounts;
        this.k = k;
    }

    /** The tokens, flagged where their window is closed by now. */
    TokenBlock flagLate(TokenBlock tokens) {
        if (capacity == null) {
            return tokens;
        }
        long now = watermark.of(tokens.lane());
        boolean[] late = new boolean[tokens.rows()];
        boolean any = false;
        for (int row = 0; row < late.length; row++) {
            late[row] =
                    tokens.isLate(row)
                            || capacity.windows().isClosed(tokens.timestamps()[row], now);
            any |= late[row];
        }
        return tokens.withLate(any ? late : TokenBlock.NONE_LATE);
    }

    /** Settles what can be settled of the choices of a routed block, and counts all. */
    void settle(TokenBlock tokens, LayerRouter.Routed routed, Choices choices) throws Exception {
        int ranks = choices.ranks();
        for (int row = 0; row < tokens.rows(); row++) {
            boolean routable = routed.isRoutable(row);
            for (int rank = 0; rank < ranks && !routable; rank++) {
                choices.experts()[row * ranks + rank] = -1;
                choices.weights()[row * ranks + rank] = 0;
            }
            for (int choice = row * k; choice < row * k + k; choice++) {
                byte outcome = Choices.PENDING;
                if (tokens.isLate(row)) {
                    outcome = Outcome.LATE.code();
                } else if (!routable) {
                    outcome = Outcome.FAILED.code();
                } else if (routed.isSkipped(choice)) {
                    outcome = Outcome.OVERFLOWED.code();
                }
                choices.outcomes()[choice] = outcome;
                count(tokens.timestamps()[row], outcome);
            }
        }
        save();
    }

    /** Counts the choices that tokens would have made that leave here, since they are late. */
    void countLate(TokenBlock tokens) throws Exception {
        for (long timestamp : tokens.timestamps()) {
            accounts.count(timestamp, Outcome.LATE, k);
        }
        save();
    }

    private void count(long timestamp, byte outcome) throws Exception {
        if (accounts == null) {
            return;
        }
        if (outcome == Choices.PENDING) {
            accounts.countAsked(timestamp, 1);
        } else {
            accounts.count(timestamp, Outcome.ofCode(outcome), 1);
        }
    }

    private void save() throws Exception {
        if (accounts != null) {
            accounts.save();
        }
    }
}
