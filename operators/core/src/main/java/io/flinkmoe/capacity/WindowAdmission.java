package io.flinkmoe.capacity;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * Which choices of a window are executed when each expert has room for C: the batch rule.
 *
 * <pre>
 *   used[e] = 0
 *   for choice (t, j) in {@link AdmissionOrder}:
 *     e = topKIndices[t, j]
 *     if used[e] &lt; C: executed, used[e]++
 * </pre>
 *
 * Dimensions: T tokens, N experts, k choices. One window is one group (or sequence) of the systems
 * that split a batch. Systems that number second choices after <em>all</em> first ones, dropped
 * ones too (NLLB, Lingvo), keep the same set: where a first choice was dropped, no room is left.
 *
 * @param executed [T, k], whether the choice has room
 * @param slot [T, k], its place in the expert's buffer, 0 to C-1, in order of admission; with
 *     GATE_SCORE in order of the tokens, as DeepSpeed numbers the survivors; -1 for no room
 * @param requestedPerExpert [N], choices that asked
 * @param tokensPerExpert [N], choices that are executed
 */
public record WindowAdmission(
        boolean[] executed, int[] slot, int[] requestedPerExpert, int[] tokensPerExpert) {

    /**
     * Admits the choices of one window.
     *
     * @param topKIndices [T, k], experts by rank; -1 for a choice that asks nobody
     * @param scores [T, k], by rank, what the system compares: raw gate scores in most, the final
     *     weights in Megatron, uniform draws in random token selection; may be null with POSITION
     * @param numExperts N
     * @param topK k
     * @param capacity C; {@code Integer.MAX_VALUE} drops nothing
     * @throws IllegalArgumentException if the shapes do not fit
     */
    public static WindowAdmission of(
            int[] topKIndices,
            float[] scores,
            int numExperts,
            int topK,
            int capacity,
            AdmissionOrder order) {
        if (topK < 1 || topKIndices.length % topK != 0) {
            throw new IllegalArgumentException(
                    "topKIndices has %d entries; allowed: a multiple of k, which is %d"
                            .formatted(topKIndices.length, topK));
        }
        if (order != AdmissionOrder.POSITION && scores.length != topKIndices.length) {
            throw new IllegalArgumentException(
                    "scores has %d entries; allowed: as many as topKIndices, which has %d"
                            .formatted(scores.length, topKIndices.length));
        }
        return admit(topKIndices, scores, topK, capacity, order, new int[numExperts]);
    }

    /**
     * The same where {@code used} of the room is taken already, [N], updated.
     *
     * @return {@code tokensPerExpert} without those that had taken it before
     */
    static WindowAdmission admit(
            int[] topKIndices,
            float[] scores,
            int topK,
            int capacity,
            AdmissionOrder order,
            int[] used) {
        int[] usedBefore = used.clone();
        int[] requested = new int[used.length];
        boolean[] executed = new boolean[topKIndices.length];
        int[] slot = new int[topKIndices.length];
        Arrays.fill(slot, -1);

        for (int choice : choicesInOrder(scores, topKIndices.length, topK, order)) {
            int expert = topKIndices[choice];
            if (expert < 0) {
                continue;
            }
            requested[expert]++;
            if (used[expert] < capacity) {
                executed[choice] = true;
                slot[choice] = used[expert]++;
            }
        }
        if (order.mixesRanks()) {
            int[] next = usedBefore.clone();
            for (int choice = 0; choice < slot.length; choice++) {
                if (executed[choice]) {
                    slot[choice] = next[topKIndices[choice]]++;
                }
            }
        }
        int[] admitted = new int[used.length];
        Arrays.setAll(admitted, expert -> used[expert] - usedBefore[expert]);
        return new WindowAdmission(executed, slot, requested, admitted);
    }

    /** The choices {@code t·k + rank} in the order in which they ask; the sort is stable. */
    private static int[] choicesInOrder(
            float[] scores, int choices, int topK, AdmissionOrder order) {
        Candidate[] candidates = new Candidate[choices];
        for (int choice = 0; choice < choices; choice++) {
            int rank = choice % topK;
            candidates[choice] =
                    order == AdmissionOrder.POSITION
                            ? new Candidate(rank, 0, 0)
                            : new Candidate(rank, scores[choice - rank], scores[choice]);
        }
        return IntStream.range(0, choices)
                .boxed()
                .sorted(Comparator.comparing(choice -> candidates[choice], order))
                .mapToInt(Integer::intValue)
                .toArray();
    }
}
