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
 * Which tokens of one lane wait in the combine, for what, and which may leave: a token may when all
 * its choices are answered and all earlier tokens of its stream have left. Holds no vectors; it is
 * rebuilt from the blocks in state after a restart.
 */
@Internal
final class LaneProgress {

    /** Batches by number, thus in the order of the lane, those from {@link #next} on. */
    private final TreeMap<Long, Batch> batches = new TreeMap<>();

    /** The timestamps of the batches' oldest tokens, and how many batches have each. */
    private final TreeMap<Long, Integer> oldest = new TreeMap<>();

    /** The first batch that has not left as a whole; batches are numbered without gaps. */
    private long next;

    /** Whether a token may have become free to leave since {@link #pollAll()}. */
    private boolean changed;

    /**
     * @param next the first batch that has not left as a whole
     */
    LaneProgress(long next) {
        this.next = next;
    }

    /**
     * Rows of a batch that leave now.
     *
     * @param batch the batch's number
     * @param rows the rows, ascending; none if all have left before, out of turn
     * @param departed which rows of the batch have left, these included
     * @param first whether the batch is done with: all before it have left, and all of it
     */
    record Departure(long batch, int[] rows, boolean[] departed, boolean first) {}

    /**
     * A batch's residuals have come.
     *
     * @param departed rows that have left before, or null for none
     */
    void addResiduals(ResidualBlock block, boolean[] departed) {
        Batch batch = batch(block.batch());
        batch.arrive(block, departed);
        moveOldest(Long.MAX_VALUE, batch.minTimestamp);
        changed |= batch.hasAnswered() || batches.lastKey() > block.batch();
    }

    /** All of a batch has left before, out of turn: nothing but this is kept of it. */
    void addDeparted(long batch) {
        batch(batch).arriveEmpty();
        changed = true;
    }

    /** Choices of a batch have been answered, perhaps before its residuals came. */
    void addAnswers(long batch, int[] choices) {
        batch(batch).answer(choices);
        changed = true;
    }

    /** The first batch that has not left as a whole. */
    long next() {
        return next;
    }

    /** The first batch of the lane, if every token of it may leave; else null. */
    Departure pollFirst() {
        Batch batch = batches.get(next);
        if (batch == null || !batch.isComplete()) {
            return null;
        }
        batches.remove(next);
        moveOldest(batch.minTimestamp, Long.MAX_VALUE);
        return new Departure(next++, batch.staying(), batch.departed, true);
    }

    /**
     * Every token that may leave, over all batches, in order; the first batch is left to {@link
     * #pollFirst()} if it is complete. Ends where residuals have not come yet: after a change of
     * parallelism a later batch may come before an earlier one.
     */
    List<Departure> pollAll() {
        if (!changed) {
            return List.of(); // Else each watermark would look at all that waits for its window.
        }
        changed = false;
        List<Departure> departures = new ArrayList<>();
        Set<String> held = new HashSet<>();
        long number = next;
        Batch batch = batches.get(number);
        while (batch != null && batch.hasArrived()) {
            long before = batch.minTimestamp;
            int[] rows = batch.depart(held);
            moveOldest(before, batch.minTimestamp);
            if (rows.length > 0) {
                departures.add(new Departure(number, rows, batch.departed.clone(), false));
            }
            batch = batches.get(++number);
        }
        return departures;
    }

    /**
     * The smallest timestamp of the tokens that wait and are not late, or {@code Long.MAX_VALUE}.
     * The time of those that are late has passed already, in every layer.
     */
    long minTimestamp() {
        return oldest.isEmpty() ? Long.MAX_VALUE : oldest.firstKey();
    }

    /** The oldest token of a batch is another one; {@code Long.MAX_VALUE} stands for none. */
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
        private boolean[] departed;
        private int rowsLeft;
        private long minTimestamp = Long.MAX_VALUE;
        private List<int[]> early = new ArrayList<>();

        void arrive(ResidualBlock block, boolean[] departedBefore) {
            int rows = block.tokens().rows();
            streams = block.tokens().streams();
            timestamps = block.tokens().timestamps();
            late = block.tokens().late();
            k = block.choices().k();
            departed = departedBefore == null ? new boolean[rows] : departedBefore.clone();
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
            before.forEach(this::answer);
        }

        void arriveEmpty() {
            departed = new boolean[0];
            early = null;
        }

        void answer(int[] choices) {
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

        /** Whether any token that waits has all its answers. */
        boolean hasAnswered() {
            for (int row = 0; row < departed.length; row++) {
                if (!departed[row] && missingOfRow[row] == 0) {
                    return true;
                }
            }
            return false;
        }

        boolean isComplete() {
            return hasArrived() && missing == 0;
        }

        int[] staying() {
            int[] rows = new int[rowsLeft];
            int count = 0;
            for (int row = 0; row < departed.length; row++) {
                if (!departed[row]) {
                    rows[count++] = row;
                }
            }
            return rows;
        }

        /** Lets go what may; the streams of those that stay join {@code held}. */
        int[] depart(Set<String> held) {
            int[] rows = new int[rowsLeft];
            int count = 0;
            for (int row : staying()) {
                if (missingOfRow[row] == 0 && !held.contains(streams[row])) {
                    rows[count++] = row;
                    departed[row] = true;
                } else {
                    held.add(streams[row]);
                }
            }
            countRows();
            return Arrays.copyOf(rows, count);
        }

        private void countRows() {
            rowsLeft = 0;
            minTimestamp = Long.MAX_VALUE;
            for (int row = 0; row < departed.length; row++) {
                if (!departed[row]) {
                    rowsLeft++;
                    if (late.length == 0 || !late[row]) {
                        minTimestamp = Math.min(minTimestamp, timestamps[row]);
                    }
                }
            }
        }
    }
}
