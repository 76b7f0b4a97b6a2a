// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flights;

import java.util.function.IntPredicate;
import org.apache.flink.annotation.Internal;

/**
 * A question about each flight that its delay answers.
 *
 * @param name the name, which is that of the model's output if the model has several
 * @param title which flights are positive, to complete "flights that are"
 * @param isPositive whether the answer is yes, by the delay in minutes, which is negative for a
 *     flight that is early
 */
@Internal
public record FlightTask(String name, String title, IntPredicate isPositive) {

    /** Whether a flight is late by some minutes or more. */
    public static FlightTask late(String name, int minutes) {
        return new FlightTask(
                name, "late by %d minutes or more".formatted(minutes), delay -> delay >= minutes);
    }

    /** Whether a flight is early by some minutes or more. */
    public static FlightTask early(String name, int minutes) {
        return new FlightTask(
                name, "early by %d minutes or more".formatted(minutes), delay -> delay <= -minutes);
    }
}
