// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/**
 * The K best experts of a token that masks some: a router logit of −∞ removes the expert for this
 * token. {@link TopK} selects for tokens that mask none; where both apply they choose the same.
 *
 * <pre>
 *   best(g)  = the largest selection score of the group's experts, or the sum of the two largest,
 *              over the experts that are not masked; a group that is masked entirely has none
 *   kept     = the topk_group best groups; with the mask NEG_INF also the next best ones, until the
 *              kept groups have k experts that are not masked
 *   chosen   = the K largest selection scores in the kept groups; with the mask ZERO the experts of
 *              the other groups have the score 0
 * </pre>
 *
 * Equal scores: the lowest index first. Not for several threads: scratch memory is reused.
 */
@Internal
final class MaskedTopK {

    private final int n;
    private final int topK;
    private final int ranks;
    private final GroupLimit limit;
    private final boolean[] eligible;
    private final float[] scores;
    private final boolean[] isKept;
    private final float[] groupScores;
    private final int[] groupSizes;

    /**
     * @param n N
     * @param topK k
     * @param ranks K
     * @param limit the limit to groups, or null
     */
    MaskedTopK(int n, int topK, int ranks, GroupLimit limit) {
        this.n = n;
        this.topK = topK;
        this.ranks = ranks;
        this.limit = limit;
        this.eligible = new boolean[n];
        this.scores = new float[n];
        int groups = limit == null ? 0 : limit.nGroup();
        this.isKept = new boolean[groups];
        this.groupScores = new float[groups];
        this.groupSizes = new int[groups];
    }

    /**
     * Selects for one token.
     *
     * @param logits [N] from {@code logitsFrom} on, finite or −∞
     * @param selectionScores [N] from {@code scoresFrom} on; those of masked experts are not read
     * @param indices [K] from {@code at} on, written: the chosen, then -1 for ranks without one
     * @return the number of the chosen
     */
    int select(
            float[] logits,
            int logitsFrom,
            float[] selectionScores,
            int scoresFrom,
            int[] indices,
            int at) {
        for (int expert = 0; expert < n; expert++) {
            eligible[expert] = logits[logitsFrom + expert] != Float.NEGATIVE_INFINITY;
            scores[expert] = selectionScores[scoresFrom + expert];
        }
        if (limit != null) {
            limitToGroups();
        }
        int found = 0;
        for (int expert = 0; expert < n; expert++) {
            if (eligible[expert]) {
                found = insert(expert, found, indices, at);
            }
        }
        Arrays.fill(indices, at + found, at + ranks, -1);
        return found;
    }

    /** Inserts an expert into the descending list; one of an equal score stays before it. */
    private int insert(int expert, int found, int[] indices, int at) {
        if (found == ranks && !(scores[expert] > scores[indices[at + found - 1]])) {
            return found;
        }
        int rank = Math.min(found, ranks - 1);
        while (rank > 0 && scores[expert] > scores[indices[at + rank - 1]]) {
            indices[at + rank] = indices[at + rank - 1];
            rank--;
        }
        indices[at + rank] = expert;
        return Math.min(found + 1, ranks);
    }

    private void limitToGroups() {
        int size = n / limit.nGroup();
        for (int group = 0; group < limit.nGroup(); group++) {
            scoreGroup(group, size);
        }
        keepBestGroups();
        for (int expert = 0; expert < n; expert++) {
            if (isKept[expert / size]) {
                continue;
            }
            if (limit.mask() == GroupLimit.GroupMask.ZERO) {
                scores[expert] = 0;
            } else {
                eligible[expert] = false;
            }
        }
    }

    private void scoreGroup(int group, int size) {
        float first = 0;
        float second = 0;
        int count = 0;
        for (int expert = group * size; expert < (group + 1) * size; expert++) {
            if (!eligible[expert]) {
                continue;
            }
            float score = scores[expert];
            if (count == 0 || score > first) {
                second = first;
                first = score;
            } else if (count == 1 || score > second) {
                second = score;
            }
            count++;
        }
        boolean sum = limit.groupScore() == GroupLimit.GroupScore.TOP2_SUM && count > 1;
        groupScores[group] = sum ? first + second : first;
        groupSizes[group] = count;
    }

    private void keepBestGroups() {
        Arrays.fill(isKept, false);
        boolean others = limit.mask() == GroupLimit.GroupMask.ZERO;
        int experts = 0;
        for (int kept = 0; kept < limit.topkGroup() || !others && experts < topK; kept++) {
            int best = bestOfTheOthers();
            if (best < 0) {
                return;
            }
            isKept[best] = true;
            experts += groupSizes[best];
        }
    }

    private int bestOfTheOthers() {
        int best = -1;
        for (int group = 0; group < isKept.length; group++) {
            boolean isCandidate = !isKept[group] && groupSizes[group] > 0;
            if (isCandidate && (best < 0 || groupScores[group] > groupScores[best])) {
                best = group;
            }
        }
        return best;
    }
}
