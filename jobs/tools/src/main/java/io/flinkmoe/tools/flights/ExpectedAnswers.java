// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flights;

import org.apache.flink.annotation.Internal;

/**
 * The expected answers of a model for the first flights, computed by the program that trained it.
 */
@Internal
public interface ExpectedAnswers {

    /** For how many flights there are answers, from the first one. */
    int size();

    /** The probability of each task. */
    float[] probabilities(int position);

    /** Whether a flight is expected to go to these experts, in order of rank. */
    boolean areExperts(int position, int[] experts);

    /** Whether the flight's logits are so close that other experts are correct, too. */
    boolean isUndecided(int position);
}
