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

    private final int n;
    private final int k;
    private final GroupLimit limit;
    private final int chunks;
    private final int chunkSize;
    private final int[] orders;
    private final int[] best;
    private final int[] second;
    private final float[] groupScores;
    private final boolean[] kept;
    private final int[] candidates;

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
        this.groupScores = new float[chunks];
        this.kept = new boolean[chunks];
        this.candidates = new int[n + 1];
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
            rank(scores, from, chunk);
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
        insert(found, indices, at);
    }

    /** Brings a chunk into order form, and finds its two best. */
    private void rank(float[] scores, int from, int chunk) {
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
            groupScores[group] = sum ? score + score(second[group]) : score;
        }
        // A group's rank is the number of better ones: counted without a branch per pair.
        for (int group = 0; group < chunks; group++) {
            float score = groupScores[group];
            int better = 0;
            for (int other = 0; other < group; other++) {
                better += groupScores[other] >= score ? 1 : 0;
            }
            for (int other = group + 1; other < chunks; other++) {
                better += groupScores[other] > score ? 1 : 0;
            }
            kept[group] = better < limit.topkGroup();
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

    /** Appends the indices whose order reaches the bound, without a branch per score. */
    private int filter(int first, int end, int bound, int found) {
        int count = found;
        for (int i = first; i < end; i++) {
            candidates[count] = i;
            count += orders[i] >= bound ? 1 : 0;
        }
        return count;
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
