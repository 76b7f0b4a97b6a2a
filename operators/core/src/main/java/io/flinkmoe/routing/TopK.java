// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * The k largest of N selection scores, in descending order; equal scores: the lowest index first.
 * Optionally limited to the best groups.
 *
 * <p>Neither sorts N nor allocates. The N scores are divided into groups, or into k chunks without
 * groups. Each chunk's best is the root of a tree of maxima, and its second best is either another
 * root's or in the best root's leaves. The least of the bests (or second bests) bounds the k-th
 * largest from below, since k scores are at least as large. The few scores that reach the bound
 * then fall through a list of k.
 *
 * <p>The tree is built for a block of tokens at once, by loops that the JVM turns into vector
 * instructions: level j+1 holds at place i the larger of level j's places i and i + distance. Only
 * the first places of each chunk are used; computing the others is cheaper than skipping them.
 * Elsewhere no branch depends on a score. Not for several threads: scratch memory is reused.
 */
@Internal
public final class TopK {

    /** Tokens of a block: their trees fit a core's nearest caches. */
    static final int BLOCK = 16;

    /** Roots of a group, where second bests are needed: fewer roots have more leaves to search. */
    private static final int ROOTS = 4;

    /** Below every score; names an index that exists. */
    private static final long NO_KEY = key(Integer.MIN_VALUE, 0);

    private static final int ZERO = order(0f);

    private final int n;
    private final int k;
    private final GroupLimit limit;
    private final int chunks;
    private final int chunkSize;
    private final boolean needsSecond;
    private final int roots;
    private final float[][] tree;
    private final int[] best;
    private final int[] second;
    private final long[] groupKeys;
    private final boolean[] isKept;
    private final int[] kept;
    private final int keptCount;
    private final int[] candidates;
    private final long[] top;

    /**
     * @param limit the limit to groups, or null
     */
    public TopK(int n, int k, GroupLimit limit) {
        this.n = n;
        this.k = k;
        this.limit = limit;
        this.chunks = limit == null ? k : limit.nGroup();
        this.chunkSize = n / chunks;
        this.needsSecond =
                limit != null
                        && (limit.groupScore() == GroupLimit.GroupScore.TOP2_SUM
                                || k > limit.topkGroup());
        int levels = 0;
        int width = chunkSize;
        while (width % 2 == 0 && width > (needsSecond ? ROOTS : 1)) {
            width /= 2;
            levels++;
        }
        this.roots = width;
        this.tree = new float[levels + 1][BLOCK * n];
        this.best = new int[chunks];
        this.second = new int[chunks];
        this.groupKeys = new long[chunks];
        this.isKept = new boolean[chunks];
        this.kept = new int[chunks + 1];
        this.keptCount = limit == null ? chunks : limit.topkGroup();
        this.candidates = new int[n + 1];
        this.top = new long[k];
        Arrays.setAll(kept, chunk -> chunk);
    }

    /**
     * Selects for T tokens.
     *
     * @param scores [T, N] from {@code from} on; no NaN
     * @param tokens T
     * @param indices [T, k] from {@code at} on, written: the chosen
     */
    public void select(float[] scores, int from, int tokens, int[] indices, int at) {
        for (int token = 0; token < tokens; token += BLOCK) {
            int count = Math.min(BLOCK, tokens - token);
            grow(scores, from + token * n, count * n);
            for (int row = 0; row < count; row++) {
                selectRow(row * n, indices, at + (token + row) * k);
            }
        }
    }

    private void grow(float[] scores, int from, int length) {
        System.arraycopy(scores, from, tree[0], 0, length);
        for (int level = 1; level < tree.length; level++) {
            int distance = chunkSize >> level;
            halve(tree[level - 1], distance, tree[level], length - distance);
        }
    }

    /** Shifted by a copy, both sides of the comparison have one index: so it becomes vectors. */
    private static void halve(float[] leaves, int distance, float[] parents, int length) {
        System.arraycopy(leaves, distance, parents, 0, length);
        for (int i = 0; i < length; i++) {
            parents[i] = Math.max(parents[i], leaves[i]);
        }
    }

    private void selectRow(int row, int[] indices, int at) {
        for (int chunk = 0; chunk < chunks; chunk++) {
            findBest(chunk, row + chunk * chunkSize);
        }
        if (limit != null) {
            keepBestGroups();
        }
        Arrays.fill(top, NO_KEY);
        int bound = bound();
        int found = filter(row, bound);
        for (int c = 0; c < found; c++) {
            int place = candidates[c];
            insert(key(order(tree[0][place]), place - row));
        }
        if (limit != null && limit.mask() == GroupLimit.GroupMask.ZERO && bound <= ZERO) {
            insertMasked();
        }
        for (int rank = 0; rank < k; rank++) {
            indices[at + rank] = index(top[rank]);
        }
    }

    /** Finds a chunk's best, and its second best if that is needed. */
    private void findBest(int chunk, int start) {
        float[] maxima = tree[tree.length - 1];
        int place = start;
        int first = order(maxima[start]);
        int next = Integer.MIN_VALUE;
        for (int i = start + 1; i < start + roots; i++) {
            int order = order(maxima[i]);
            next = Math.max(next, Math.min(first, order));
            place += (i - place) & (int) (((long) first - order) >> 63);
            first = Math.max(first, order);
        }
        best[chunk] = first;
        if (needsSecond) {
            second[chunk] = Math.max(next, secondLeaf(place, start + chunkSize));
        }
    }

    /** The second best of the leaves of a root. */
    private int secondLeaf(int root, int end) {
        float[] leaves = tree[0];
        int first = Integer.MIN_VALUE;
        int next = Integer.MIN_VALUE;
        for (int i = root; i < end; i += roots) {
            int order = order(leaves[i]);
            next = Math.max(next, Math.min(first, order));
            first = Math.max(first, order);
        }
        return next;
    }

    private void keepBestGroups() {
        boolean sum = limit.groupScore() == GroupLimit.GroupScore.TOP2_SUM;
        for (int group = 0; group < chunks; group++) {
            int first = best[group];
            groupKeys[group] = key(sum ? order(score(first) + score(second[group])) : first, group);
        }
        int count = 0;
        for (int group = 0; group < chunks; group++) {
            int better = 0;
            for (long other : groupKeys) {
                better += (int) ((groupKeys[group] - other) >>> 63);
            }
            isKept[group] = better < keptCount;
            kept[count] = group;
            count += (better - keptCount) >>> 31;
        }
    }

    /** A lower bound of the k-th largest: at least k of the kept scores reach it. */
    private int bound() {
        if (k > 2 * keptCount) {
            return Integer.MIN_VALUE;
        }
        int[] known = k <= keptCount ? best : second;
        int bound = Integer.MAX_VALUE;
        for (int c = 0; c < keptCount; c++) {
            bound = Math.min(bound, known[kept[c]]);
        }
        return bound;
    }

    /** Collects the places of the kept scores that reach the bound. */
    private int filter(int row, int bound) {
        boolean all = bound <= order(Float.NEGATIVE_INFINITY);
        float below = all ? 0 : Math.nextDown(score(bound));
        int always = all ? 1 : 0;
        if (limit == null) {
            return filter(row, row + n, below, always, 0);
        }
        int found = 0;
        for (int c = 0; c < keptCount; c++) {
            int start = row + kept[c] * chunkSize;
            found = filter(start, start + chunkSize, below, always, found);
        }
        return found;
    }

    private int filter(int start, int end, float below, int always, int found) {
        float[] scores = tree[0];
        int count = found;
        for (int i = start; i < end; i++) {
            candidates[count] = i;
            count += Float.floatToRawIntBits(below - scores[i]) >>> 31 | always;
        }
        return count;
    }

    private void insertMasked() {
        for (int group = 0; group < chunks; group++) {
            if (isKept[group]) {
                continue;
            }
            for (int i = group * chunkSize; i < (group + 1) * chunkSize; i++) {
                insert(key(ZERO, i));
            }
        }
    }

    /** At each rank the better key stays, and the other one falls on. */
    private void insert(long key) {
        long falling = key;
        for (int rank = 0; rank < k; rank++) {
            long lead = top[rank] - falling;
            long swap = lead & (lead >> 63);
            top[rank] -= swap;
            falling += swap;
        }
    }

    /** A number that is larger for a better order, and among equal orders for a lower index. */
    private static long key(int order, int index) {
        return ((long) order << 16) | (Short.MAX_VALUE - index);
    }

    private static int index(long key) {
        return Short.MAX_VALUE - (int) (key & Short.MAX_VALUE);
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
