// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.combine;

import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ResidualBlock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import org.apache.flink.annotation.Internal;

/**
 * Tracks which tokens of one lane wait in the combine and which can be emitted. A token can be
 * emitted when all its choices have results and all earlier tokens of its stream are emitted. Holds
 * no vectors. After a restart, it is rebuilt from the blocks in state.
 */
@Internal
final class LaneProgress {

    /** The batches from {@link #next} on, by number, which is their order in the lane. */
    private final TreeMap<Long, Batch> batches = new TreeMap<>();

    /** The oldest timestamp of each batch, with the number of batches that have it. */
    private final TreeMap<Long, Integer> oldest = new TreeMap<>();

    /** The first batch that is not completely emitted. Batches are numbered without gaps. */
    private long next;

    /** Whether another token may be ready since the last {@link #pollAll()}. */
    private boolean changed;

    /**
     * @param next the first batch that is not completely emitted
     */
    LaneProgress(long next) {
        this.next = next;
    }

    /**
     * Rows of a batch that must be emitted now.
     *
     * @param batch the batch's number
     * @param rows the rows, ascending; empty if all were emitted before
     * @param emitted whether each row of the batch is emitted, these included
     * @param first whether the batch and all batches before it are now completely emitted
     */
    record ReadyRows(long batch, int[] rows, boolean[] emitted, boolean first) {}

    /**
     * Adds the residuals of a batch.
     *
     * @param emitted whether each row was emitted before; null: none was
     */
    void addResiduals(ResidualBlock block, boolean[] emitted) {
        Batch batch = batch(block.batch());
        batch.arrive(block, emitted);
        moveOldest(Long.MAX_VALUE, batch.minTimestamp);
        changed |= batch.hasReadyRow() || batches.lastKey() > block.batch();
    }

    /**
     * Adds a batch whose rows were all emitted before an earlier batch was complete. The state
     * keeps only this fact.
     */
    void addEmitted(long batch) {
        batch(batch).arriveEmpty();
        changed = true;
    }

    /** Adds results for choices of a batch. They may arrive before its residuals. */
    void addResults(long batch, int[] choices) {
        batch(batch).addResults(choices);
        changed = true;
    }

    /** The first batch that is not completely emitted. */
    long next() {
        return next;
    }

    /** Returns and removes the first batch of the lane if all its tokens are ready; else null. */
    ReadyRows pollFirst() {
        Batch batch = batches.get(next);
        if (batch == null || !batch.isComplete()) {
            return null;
        }
        batches.remove(next);
        moveOldest(batch.minTimestamp, Long.MAX_VALUE);
        return new ReadyRows(next++, batch.waitingRows(), batch.emitted, true);
    }

    /**
     * Returns every ready token of all batches, in order. A complete first batch stays until {@link
     * #pollFirst()} removes it. Stops at the first batch whose residuals have not arrived: after
     * rescaling, a later batch can arrive before an earlier one.
     */
    List<ReadyRows> pollAll() {
        if (!changed) {
            return List.of(); // Otherwise each watermark would search all waiting tokens.
        }
        changed = false;
        List<ReadyRows> ready = new ArrayList<>();
        Set<String> blocked = new HashSet<>();
        long number = next;
        Batch batch = batches.get(number);
        while (batch != null && batch.hasArrived()) {
            long before = batch.minTimestamp;
            int[] rows = batch.takeReady(blocked);
            moveOldest(before, batch.minTimestamp);
            if (rows.length > 0) {
                ready.add(new ReadyRows(number, rows, batch.emitted.clone(), false));
            }
            batch = batches.get(++number);
        }
        return ready;
    }

    /**
     * The smallest timestamp of the waiting tokens that are not late, or {@code Long.MAX_VALUE}.
     * Late tokens do not hold back the watermark, because it has already passed their timestamps in
     * every layer.
     */
    long minTimestamp() {
        return oldest.isEmpty() ? Long.MAX_VALUE : oldest.firstKey();
    }

    /** Replaces the oldest timestamp of a batch; {@code Long.MAX_VALUE} stands for none. */
    private void moveOldest(long from, long to) {
        if (from == to) {
            return;
        }
        if (from != Long.MAX_VALUE) {
            oldest.computeIfPresent(from, (timestamp, count) -> count == 1 ? null : count - 1);
        }
        if (to != Long.MAX_VALUE) {
            oldest.merge(to, 1, Integer::sum);
        }
    }

    boolean isEmpty() {
        return batches.isEmpty();
    }

    private Batch batch(long number) {
        return batches.computeIfAbsent(number, n -> new Batch());
    }

    private static final class Batch {
        private String[] streams;
        private long[] timestamps;
        private boolean[] late;
        private int k;
        private int[] missingOfRow;
        private int missing;
        private boolean[] emitted;
        private int numWaiting;
        private long minTimestamp = Long.MAX_VALUE;
        private List<int[]> early = new ArrayList<>();

        void arrive(ResidualBlock block, boolean[] emittedBefore) {
            int rows = block.tokens().rows();
            streams = block.tokens().streams();
            timestamps = block.tokens().timestamps();
            late = block.tokens().late();
            k = block.choices().k();
            emitted = emittedBefore == null ? new boolean[rows] : emittedBefore.clone();
            missingOfRow = new int[rows];
            byte[] outcomes = block.choices().outcomes();
            for (int choice = 0; choice < outcomes.length; choice++) {
                if (outcomes[choice] == Choices.PENDING) {
                    missingOfRow[choice / k]++;
                    missing++;
                }
            }
            countRows();
            List<int[]> before = early;
            early = null;
            before.forEach(this::addResults);
        }

        void arriveEmpty() {
            emitted = new boolean[0];
            early = null;
        }

        void addResults(int[] choices) {
            if (early != null) {
                early.add(choices);
                return;
            }
            missing -= choices.length;
            for (int choice : choices) {
                missingOfRow[choice / k]--;
            }
        }

        boolean hasArrived() {
            return early == null;
        }

        /** Whether any waiting token has all its results. */
        boolean hasReadyRow() {
            for (int row = 0; row < emitted.length; row++) {
                if (!emitted[row] && missingOfRow[row] == 0) {
                    return true;
                }
            }
            return false;
        }

        boolean isComplete() {
            return hasArrived() && missing == 0;
        }

        int[] waitingRows() {
            int[] rows = new int[numWaiting];
            int count = 0;
            for (int row = 0; row < emitted.length; row++) {
                if (!emitted[row]) {
                    rows[count++] = row;
                }
            }
            return rows;
        }

        /**
         * Marks the ready rows as emitted and returns them. Adds the streams of the other rows to
         * {@code blocked}.
         */
        int[] takeReady(Set<String> blocked) {
            int[] rows = new int[numWaiting];
            int count = 0;
            for (int row : waitingRows()) {
                if (missingOfRow[row] == 0 && !blocked.contains(streams[row])) {
                    rows[count++] = row;
                    emitted[row] = true;
                } else {
                    blocked.add(streams[row]);
                }
            }
            countRows();
            return Arrays.copyOf(rows, count);
        }

        private void countRows() {
            numWaiting = 0;
            minTimestamp = Long.MAX_VALUE;
            for (int row = 0; row < emitted.length; row++) {
                if (!emitted[row]) {
                    numWaiting++;
                    if (late.length == 0 || !late[row]) {
                        minTimestamp = Math.min(minTimestamp, timestamps[row]);
                    }
                }
            }
        }
    }
}
