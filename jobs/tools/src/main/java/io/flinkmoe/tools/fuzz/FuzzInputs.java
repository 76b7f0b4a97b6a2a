package io.flinkmoe.tools.fuzz;

import org.apache.flink.annotation.Internal;

/**
 * Which inputs a target is fed with: those that a seed makes, by their numbers.
 *
 * @param first the number of the first input
 * @param count how many inputs
 */
@Internal
public record FuzzInputs(Class<? extends FuzzTarget> target, long seed, long first, long count) {

    /** The number behind the last input. */
    long end() {
        return first + count;
    }
}
