// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.statistics;

import java.time.Duration;
import org.apache.flink.annotation.Internal;

/**
 * The number and the duration of measurements.
 *
 * @param count the number of counted rounds, after one that is not counted
 * @param time the duration of one measurement
 */
@Internal
public record Rounds(int count, Duration time) {}
