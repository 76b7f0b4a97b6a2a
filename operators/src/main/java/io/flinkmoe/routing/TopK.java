package io.flinkmoe.routing;

import java.util.Arrays;

/**
 * The k largest of N selection scores, in descending order; equal scores: the lowest index first.
 * Optionally limited to the best groups. No sorting of N, no allocation per token. Not for several
 * threads: scratch memory is reused.
 */
public final class TopK {

    private final int n;
    private final int k;
    private final GroupLimit limit;
    private final int groupSize;
    private final float[] groupScores;
    private final int[] groupRank;
    private final boolean[] kept;

    /**
     * @param limit the limit to groups, or null
     */
    public TopK(int n, int k, GroupLimit limit) {
        this.n = n;
        this.k = k;
        this.limit = limit;
        int groups = limit == null ? 1 : limit.nGroup();
        this.groupSize = n / groups;
        this.groupScores = new float[groups];
        this.groupRank = new int[limit == null ? 0 : limit.topkGroup()];
        this.kept = new boolean[groups];
    }

    /**
     * Selects for one token.
     *
     * @param scores where the token's N scores are, from {@code from} on; with a group mask of
     *     ZERO, those of the masked groups are overwritten
     * @param indices the k chosen are written from {@code at} on
     */
    public void select(float[] scores, int from, int[] indices, int at) {
        if (limit == null) {
            insertAll(scores, from, 0, n, indices, at, 0, k);
            return;
        }
        keepBestGroups(scores, from);
        int found = 0;
        for (int group = 0; group < kept.length; group++) {
            int first = group * groupSize;
            if (!kept[group] && limit.mask() == GroupLimit.GroupMask.NEG_INF) {
                continue;
            }
            if (!kept[group]) {
                Arrays.fill(scores, from + first, from + first + groupSize, 0f);
            }
            found = insertAll(scores, from, first, first + groupSize, indices, at, found, k);
        }
    }

    private void keepBestGroups(float[] scores, int from) {
        for (int group = 0; group < groupScores.length; group++) {
            groupScores[group] = scoreOf(scores, from + group * groupSize);
        }
        insertAll(groupScores, 0, 0, groupScores.length, groupRank, 0, 0, groupRank.length);
        Arrays.fill(kept, false);
        for (int group : groupRank) {
            kept[group] = true;
        }
    }

    private float scoreOf(float[] scores, int first) {
        float best = Float.NEGATIVE_INFINITY;
        float second = Float.NEGATIVE_INFINITY;
        for (int i = first; i < first + groupSize; i++) {
            float score = scores[i];
            if (score > best) {
                second = best;
                best = score;
            } else if (score > second) {
                second = score;
            }
        }
        return limit.groupScore() == GroupLimit.GroupScore.MAX ? best : best + second;
    }

    /**
     * Inserts entries into the list of the {@code size} best, which holds {@code found} so far;
     * only a strictly larger one displaces one before it.
     *
     * @return how many the list holds now
     */
    private static int insertAll(
            float[] scores,
            int from,
            int first,
            int end,
            int[] indices,
            int at,
            int found,
            int size) {
        int count = found;
        for (int i = first; i < end; i++) {
            float score = scores[from + i];
            if (count == size && !(score > scores[from + indices[at + size - 1]])) {
                continue;
            }
            int slot = count < size ? count++ : size - 1;
            while (slot > 0 && score > scores[from + indices[at + slot - 1]]) {
                indices[at + slot] = indices[at + slot - 1];
                slot--;
            }
            indices[at + slot] = i;
        }
        return count;
    }
}
