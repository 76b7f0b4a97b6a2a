package io.flinkmoe.tools.bench.capacity;

import org.apache.flink.annotation.Internal;

/**
 * What a capacity costs and gives.
 *
 * @param overflowed the share of all choices that no expert ran, from 0 to 1; rerouted likewise,
 *     those that a less probable expert ran
 * @param rate tokens per second at full speed
 * @param p99 milliseconds that 99 of 100 tokens are under way at most, at a steady pace
 * @param scores T values, the first of each token's answer
 */
@Internal
public record CapacityResult(
        CapacitySetting setting,
        double overflowed,
        double rerouted,
        double rate,
        double p99,
        float[] scores) {}
