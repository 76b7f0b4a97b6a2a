// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import org.apache.flink.annotation.Internal;

/**
 * A record that the admission of an expert receives from a router or from the previous round:
 * choices that ask for the expert (a {@code CandidateBlock}), the number of tokens in a window (a
 * {@code WindowTokens}), or the capacity that the previous round left (a {@code
 * RemainingCapacity}).
 */
@Internal
public interface AdmissionInput {

    /** The expert that decides, counted from 0. */
    int expert();
}
