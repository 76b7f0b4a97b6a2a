// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.capacity;

import org.apache.flink.annotation.Internal;

/**
 * The quality and the speed of a capacity setting.
 *
 * @param overflowed the share of all choices that overflowed, from 0 to 1
 * @param rerouted the share of all choices that were rerouted to another expert
 * @param rate tokens per second at full speed
 * @param p99 the latency in milliseconds that 99 % of the tokens do not exceed, at a steady rate
 * @param scores T values: the first value of each token's answer
 */
@Internal
public record CapacityResult(
        CapacitySetting setting,
        double overflowed,
        double rerouted,
        double rate,
        double p99,
        float[] scores) {}
