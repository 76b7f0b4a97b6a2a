// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.Internal;

/**
 * Which choices of a window are executed when each expert admits C and nothing is rerouted: {@link
 * NextExpert} with one round.
 *
 * <p>Dimensions: T tokens, N experts, k choices. One window is one group (or sequence) of the
 * systems that split a batch. Systems that number second choices after <em>all</em> first ones,
 * dropped ones too (NLLB, Lingvo), keep the same set: where a first choice overflowed, no capacity
 * is left.
 *
 * @param executed [T, k], whether the choice is admitted
 * @param slot [T, k], its place in the expert's buffer, 0 to C-1, as {@link NextExpert#slot()}; -1
 *     if it overflows
 * @param requestedPerExpert [N], candidates
 * @param tokensPerExpert [N], choices that are executed
 */
@Internal
public record WindowAdmission(
        boolean[] executed, int[] slot, int[] requestedPerExpert, int[] tokensPerExpert) {

    /**
     * Admits the choices of one window.
     *
     * @param topKIndices [T, k], experts by rank; -1 for a choice that tries none
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
        boolean compares = order != AdmissionOrder.POSITION;
        NextExpert placed =
                NextExpert.byRounds(
                        new RoutedWindow(
                                TokenMetadata.ofRows(topKIndices.length / topK),
                                topK,
                                topKIndices,
                                compares ? scores : new float[topKIndices.length]),
                        numExperts,
                        AtWindowClose.of(
                                NextExpert.ONE_WINDOW, CapacityFormula.fixed(capacity), order));
        boolean[] executed = new boolean[topKIndices.length];
        for (int choice = 0; choice < executed.length; choice++) {
            executed[choice] = placed.slot()[choice] >= 0;
        }
        return new WindowAdmission(
                executed, placed.slot(), placed.requestedPerExpert(), placed.tokensPerExpert());
    }
}
