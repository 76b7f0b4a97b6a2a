// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.routing;

import org.apache.flink.annotation.PublicEvolving;

/**
 * Group-limited selection (DeepSeek): the N experts form {@code n_group} groups of N/n_group
 * neighbours; only the experts of the {@code topk_group} best groups may be chosen. Equal groups:
 * the lowest first.
 *
 * @param nGroup number of groups; divides N
 * @param topkGroup groups that are kept, 1 ≤ topk_group ≤ n_group
 * @param groupScore what makes a group good
 * @param mask the selection score that the experts of the other groups get
 */
@PublicEvolving
public record GroupLimit(int nGroup, int topkGroup, GroupScore groupScore, GroupMask mask) {

    /** How a group is scored, from the selection scores of its experts. */
    public enum GroupScore {
        /** The largest one: DeepSeek-V2's {@code group_limited_greedy}. */
        MAX,
        /** The sum of the two largest: DeepSeek-V3's {@code noaux_tc}. */
        TOP2_SUM
    }

    /** The selection score of an expert outside the kept groups. */
    public enum GroupMask {
        /** Minus infinity: never chosen. DeepSeek's own inference code. */
        NEG_INF,
        /**
         * Zero: chosen before any expert whose score is negative. The DeepSeek-V2 model file and
         * transformers 4.
         */
        ZERO
    }

    public GroupLimit {
        if (nGroup < 1) {
            throw new IllegalArgumentException(
                    "n_group is %d; allowed: 1 or more".formatted(nGroup));
        }
        if (topkGroup < 1 || topkGroup > nGroup) {
            throw new IllegalArgumentException(
                    "topk_group is %d; allowed: 1 to n_group, which is %d"
                            .formatted(topkGroup, nGroup));
        }
        if (groupScore == null) {
            throw new IllegalArgumentException("group_score is missing; allowed: max, top2_sum");
        }
        if (mask == null) {
            throw new IllegalArgumentException("mask is missing; allowed: neg_inf, zero");
        }
    }
}
