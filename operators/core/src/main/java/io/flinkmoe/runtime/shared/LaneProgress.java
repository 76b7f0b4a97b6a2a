// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import org.apache.flink.annotation.Internal;

/**
 * Tracks which tokens of one lane wait in a dispatch or a combine, and which can be emitted. A
 * token can be emitted when all its choices have results (decisions in a dispatch, outputs of
 * experts in a combine) and all earlier tokens of its stream are emitted. Holds no vectors. After a
 * restart, it is rebuilt from the state.
 */
@Internal
public final class LaneProgress {

    /** The batches from {@link #next} on, by number, which is their order in the lane. */
    private final TreeMap<Long, Batch> batches = new TreeMap<>();

    /** The oldest timestamp of each batch, with the number of batches that have it. */
    private final TreeMap<Long, Integer> oldest = new TreeMap<>();

    /** The streams whose tokens wait before the place that the scan has reached. */
    private final Set<Long> blocked = new HashSet<>();

    /** The first batch that is not completely emitted. Batches are numbered without gaps. */
    private long next;

    /** The next batch that the scan looks at; {@code Long.MAX_VALUE} if there is no scan. */
    private long scanned = Long.MAX_VALUE;

    /** Whether another token may be ready since the last {@link #scan}. */
    private boolean changed;

    /** The waiting tokens all of whose choices have results. */
    private int ready;

    private final int maxRows;

    /**
     * @param next the first batch that is not completely emitted
     * @param maxRows the maximum number of rows that are emitted together
     */
    public LaneProgress(long next, int maxRows) {
        this.next = next;
        this.maxRows = maxRows;
    }

    /**
     * Rows of a batch that must be emitted now.
     *
     * @param batch the batch's number
     * @param rows the rows, ascending; empty if all were emitted before
     * @param emitted whether each row of the batch is emitted, these included
     * @param first whether the batch and all batches before it are now completely emitted
     */
    public record ReadyRows(long batch, int[] rows, boolean[] emitted, boolean first) {

        /** Whether all rows of the batch are emitted. */
        public boolean areLast() {
            for (boolean row : emitted) {
                if (!row) {
                    return false;
                }
            }
            return true;
        }
    }

    /**
     * Adds the tokens of a batch.
     *
     * @param emitted whether each row was emitted before; null: none was
     */
    public void addTokens(long number, WaitingTokens tokens, boolean[] emitted) {
        Batch batch = batch(number);
        batch.arrive(tokens, emitted);
        moveOldest(Long.MAX_VALUE, batch.minTimestamp);
        ready += batch.numReady();
        changed |= batch.numReady() > 0 || batches.lastKey() > number;
    }

    /** Adds results for choices of a batch. They may arrive before its tokens. */
    public void addResults(long number, int[] choices) {
        ready += batch(number).addResults(choices);
        changed = true;
    }

    /** Sets the first batch. Call it before the tokens of any batch are added. */
    public void startAt(long first) {
        next = first;
    }

    /** The first batch that is not completely emitted. */
    public long next() {
        return next;
    }

    /** The waiting tokens all of whose choices have results, even if earlier tokens hold them. */
    public int numReady() {
        return ready;
    }

    /** Whether no token waits, and no result for one. */
    public boolean isEmpty() {
        return batches.isEmpty();
    }

    /** Whether all tokens of the first batch of the lane are ready. */
    public boolean isFirstComplete() {
        Batch batch = batches.get(next);
        return batch != null && batch.isComplete();
    }

    /**
     * Returns rows of the first batch of the lane if all its tokens are ready, and marks them as
     * emitted; else null. Removes the batch with its last row.
     */
    public ReadyRows pollFirst() {
        if (!isFirstComplete()) {
            return null;
        }
        long number = next;
        Batch batch = batches.get(number);
        int[] rows = take(batch, Set.of());
        boolean isLast = batch.numReady() == 0;
        if (isLast) {
            batches.remove(number);
            next++;
        }
        return new ReadyRows(number, rows, batch.emitted.clone(), isLast);
    }

    /**
     * Starts to look through all batches for tokens that are ready. Call it at a watermark.
     *
     * @return whether there may be any
     */
    public boolean scan() {
        if (changed) { // Otherwise each watermark would search all waiting tokens.
            changed = false;
            scanned = next;
            blocked.clear();
        }
        return scanned != Long.MAX_VALUE;
    }

    /**
     * Returns ready rows of the next batch that has some, and marks them as emitted; null at the
     * end of the scan. A token that becomes ready behind the place that the scan has reached waits
     * for the next scan.
     */
    public ReadyRows pollScanned() {
        if (scanned == Long.MAX_VALUE) {
            return null;
        }
        scanned = Math.max(scanned, next);
        for (Batch batch; (batch = batches.get(scanned)) != null && batch.hasArrived(); scanned++) {
            int[] rows = take(batch, blocked);
            if (rows.length > 0) {
                long number = rows.length < maxRows ? scanned++ : scanned;
                return new ReadyRows(number, rows, batch.emitted.clone(), false);
            }
        }
        scanned = Long.MAX_VALUE;
        blocked.clear();
        return null;
    }

    /**
     * The smallest timestamp of the waiting tokens that are not late, or {@code Long.MAX_VALUE}.
     * Late tokens do not hold back the watermark, because it has already passed their timestamps in
     * every layer.
     */
    public long minTimestamp() {
        return oldest.isEmpty() ? Long.MAX_VALUE : oldest.firstKey();
    }

    private int[] take(Batch batch, Set<Long> blockedStreams) {
        long before = batch.minTimestamp;
        int[] rows = batch.takeReady(blockedStreams, maxRows);
        ready -= rows.length;
        moveOldest(before, batch.minTimestamp);
        return rows;
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

    private Batch batch(long number) {
        return batches.computeIfAbsent(number, n -> new Batch());
    }

    private static final class Batch {
        private WaitingTokens tokens;
        private int[] missing;
        private int allMissing;
        private boolean[] emitted;
        private int numReady;
        private long minTimestamp = Long.MAX_VALUE;
        private List<int[]> early = new ArrayList<>();

        void arrive(WaitingTokens arrived, boolean[] emittedBefore) {
            tokens = arrived;
            missing = arrived.pending().clone();
            emitted = emittedBefore == null ? new boolean[missing.length] : emittedBefore.clone();
            for (int row = 0; row < missing.length; row++) {
                allMissing += missing[row];
                numReady += isReady(row) ? 1 : 0;
            }
            findMinTimestamp();
            List<int[]> before = early;
            early = null;
            before.forEach(this::addResults);
        }

        /** Returns how many more rows are ready. */
        int addResults(int[] choices) {
            if (early != null) {
                early.add(choices);
                return 0;
            }
            int before = numReady;
            allMissing -= choices.length;
            for (int choice : choices) {
                int row = choice / tokens.k();
                missing[row]--;
                numReady += isReady(row) ? 1 : 0;
            }
            return numReady - before;
        }

        private boolean isReady(int row) {
            return missing[row] == 0 && !emitted[row];
        }

        boolean hasArrived() {
            return early == null;
        }

        int numReady() {
            return numReady;
        }

        boolean isComplete() {
            return hasArrived() && allMissing == 0;
        }

        /**
         * Marks the first ready rows as emitted and returns them. Adds the streams of the other
         * rows to {@code blocked}.
         */
        int[] takeReady(Set<Long> blocked, int max) {
            int[] rows = new int[Math.min(numReady, max)];
            int count = 0;
            for (int row = 0; row < emitted.length && count < max; row++) {
                if (emitted[row]) {
                    continue;
                }
                long stream = tokens.streams()[row];
                if (missing[row] == 0 && !blocked.contains(stream)) {
                    rows[count++] = row;
                    emitted[row] = true;
                } else {
                    blocked.add(stream);
                }
            }
            numReady -= count;
            findMinTimestamp();
            return Arrays.copyOf(rows, count);
        }

        private void findMinTimestamp() {
            minTimestamp = Long.MAX_VALUE;
            boolean[] late = tokens.late();
            for (int row = 0; row < emitted.length; row++) {
                if (!emitted[row] && (late.length == 0 || !late[row])) {
                    minTimestamp = Math.min(minTimestamp, tokens.timestamps()[row]);
                }
            }
        }
    }
}
