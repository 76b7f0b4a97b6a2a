// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import org.apache.flink.annotation.Internal;

/**
 * The inputs of a target: those that a seed creates, by their numbers.
 *
 * @param first the number of the first input
 * @param count the number of inputs
 */
@Internal
public record FuzzInputs(Class<? extends FuzzTarget> target, long seed, long first, long count) {

    /** The number after the last input. */
    long end() {
        return first + count;
    }
}
