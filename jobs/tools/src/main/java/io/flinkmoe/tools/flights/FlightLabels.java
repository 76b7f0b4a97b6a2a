// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.flights;

import org.apache.flink.annotation.Internal;

/**
 * The true answers to a task.
 *
 * @param isPositive [T], by the position of the flight
 */
@Internal
public record FlightLabels(FlightTask task, boolean[] isPositive) {}
