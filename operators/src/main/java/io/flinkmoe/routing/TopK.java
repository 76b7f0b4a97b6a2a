package io.flinkmoe.routing;

import java.util.Arrays;

/**
 * The k largest of N selection scores, in descending order; equal scores: the lowest index first.
 * Optionally limited to the best groups.
 *
 * <p>Neither sorts N nor allocates. Scores become integers in the same order. A first pass takes
 * the best (and second best) of each group, or of k chunks where there are no groups: the least of
 * them bounds the k-th largest from below, since k scores are at least as large. The few scores
 * that reach the bound are then inserted into a list of k. Not for several threads: scratch memory
 * is reused.
 */
public final class TopK {

    private static final int ZERO = order(0f);

    /** Ranking is quadratic: with more candidates than so many per choice, insertion is quicker. */
    private static final int RANKED_PER_CHOICE = 4;

    private final int n;
    private final int k;
    private final GroupLimit limit;
    private final int chunks;
    private final int chunkSize;
    private final int[] orders;
    private final int[] best;
    private final int[] second;
    private final long[] groupKeys;
    private final boolean[] kept;
    private final int[] candidates;
    private final long[] candidateKeys;

    /**
     * @param limit the limit to groups, or null
     */
    public TopK(int n, int k, GroupLimit limit) {
        this.n = n;
        this.k = k;
        this.limit = limit;
        this.chunks = limit == null ? k : limit.nGroup();
        this.chunkSize = n / chunks;
        this.orders = new int[n];
        this.best = new int[chunks];
        this.second = new int[chunks];
        this.groupKeys = new long[chunks];
        this.kept = new boolean[chunks];
        this.candidates = new int[n + 1];
        this.candidateKeys = new long[RANKED_PER_CHOICE * k];
        Arrays.fill(kept, true);
    }

    /**
     * Selects for one token.
     *
     * @param scores where the token's N scores are, from {@code from} on; no NaN
     * @param indices the k chosen are written from {@code at} on
     */
    public void select(float[] scores, int from, int[] indices, int at) {
        for (int chunk = 0; chunk < chunks; chunk++) {
            arrange(scores, from, chunk);
        }
        if (limit != null) {
            keepBestGroups();
        }
        int found = 0;
        int bound = bound();
        for (int chunk = 0; chunk < chunks; chunk++) {
            if (kept[chunk]) {
                found = filter(chunk * chunkSize, endOf(chunk), bound, found);
            } else if (limit.mask() == GroupLimit.GroupMask.ZERO) {
                Arrays.fill(orders, chunk * chunkSize, endOf(chunk), ZERO);
                found = filter(chunk * chunkSize, endOf(chunk), bound, found);
            }
        }
        if (found <= candidateKeys.length) {
            rank(found, indices, at);
        } else {
            insert(found, indices, at);
        }
    }

    /** Brings a chunk into order form, and finds its two best. */
    private void arrange(float[] scores, int from, int chunk) {
        int first = Integer.MIN_VALUE;
        int next = Integer.MIN_VALUE;
        int end = endOf(chunk);
        for (int i = chunk * chunkSize; i < end; i++) {
            int order = order(scores[from + i]);
            orders[i] = order;
            next = Math.max(next, Math.min(first, order));
            first = Math.max(first, order);
        }
        best[chunk] = first;
        second[chunk] = next;
    }

    /** The last chunk takes what does not divide. */
    private int endOf(int chunk) {
        return chunk == chunks - 1 ? n : (chunk + 1) * chunkSize;
    }

    private void keepBestGroups() {
        boolean sum = limit.groupScore() == GroupLimit.GroupScore.TOP2_SUM;
        for (int group = 0; group < chunks; group++) {
            float score = score(best[group]);
            groupKeys[group] = key(order(sum ? score + score(second[group]) : score), group);
        }
        for (int group = 0; group < chunks; group++) {
            kept[group] = rank(groupKeys, chunks, groupKeys[group]) < limit.topkGroup();
        }
    }

    /** A lower bound of the k-th largest: at least k of the kept scores reach it. */
    private int bound() {
        if (limit != null && k > 2 * limit.topkGroup()) {
            return Integer.MIN_VALUE;
        }
        int[] known = limit == null || k <= limit.topkGroup() ? best : second;
        int bound = Integer.MAX_VALUE;
        for (int chunk = 0; chunk < chunks; chunk++) {
            if (kept[chunk]) {
                bound = Math.min(bound, known[chunk]);
            }
        }
        return bound;
    }

    /** Appends the indices whose order reaches the bound. */
    private int filter(int first, int end, int bound, int found) {
        int count = found;
        for (int i = first; i < end; i++) {
            candidates[count] = i;
            count += (int) (~((long) orders[i] - bound) >>> 63);
        }
        return count;
    }

    /** Gives each candidate the place of its rank. */
    private void rank(int found, int[] indices, int at) {
        for (int c = 0; c < found; c++) {
            candidateKeys[c] = key(orders[candidates[c]], candidates[c]);
        }
        for (int c = 0; c < found; c++) {
            int rank = rank(candidateKeys, found, candidateKeys[c]);
            if (rank < k) {
                indices[at + rank] = candidates[c];
            }
        }
    }

    /** How many of the first {@code count} keys are better than {@code key}. */
    private static int rank(long[] keys, int count, long key) {
        int better = 0;
        for (int i = 0; i < count; i++) {
            better += (int) ((key - keys[i]) >>> 63);
        }
        return better;
    }

    /** A number that is larger for a better order, and among equal orders for a lower index. */
    private static long key(int order, int index) {
        return ((long) order << 16) | (Short.MAX_VALUE - index);
    }

    /** Candidates come in order of index: only a strictly larger one displaces one before it. */
    private void insert(int found, int[] indices, int at) {
        int count = 0;
        for (int c = 0; c < found; c++) {
            int candidate = candidates[c];
            int order = orders[candidate];
            if (count == k && order <= orders[indices[at + k - 1]]) {
                continue;
            }
            int slot = count < k ? count++ : k - 1;
            while (slot > 0 && order > orders[indices[at + slot - 1]]) {
                indices[at + slot] = indices[at + slot - 1];
                slot--;
            }
            indices[at + slot] = candidate;
        }
    }

    /** An integer that orders as the score does; -0 equals 0. */
    private static int order(float score) {
        int bits = Float.floatToRawIntBits(score + 0f);
        return bits ^ ((bits >> 31) & Integer.MAX_VALUE);
    }

    /** The score of an order. */
    private static float score(int order) {
        return Float.intBitsToFloat(order ^ ((order >> 31) & Integer.MAX_VALUE));
    }
}
