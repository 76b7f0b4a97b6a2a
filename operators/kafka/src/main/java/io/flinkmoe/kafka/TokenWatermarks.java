// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import io.flinkmoe.api.Arrival;
import java.time.Duration;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.eventtime.TimestampAssigner;
import org.apache.flink.api.common.eventtime.TimestampAssignerSupplier;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkGeneratorSupplier;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;

/**
 * Generates watermarks from tokens only. Dead letters, and tokens that are far behind their records
 * ({@link Arrival#isBehind}), neither advance the watermark nor keep a partition active, so a
 * partition that contains only such records does not delay windows. A partition that begins with
 * tokens far behind their records is idle at once, until it has another token.
 *
 * <p>The event time is the token's own timestamp, not the timestamp of its Kafka record. Set the
 * same out-of-orderness in {@code MoeLayers}. Whether a token is late then does not depend on the
 * subtask that reads its partition.
 */
@PublicEvolving
public final class TokenWatermarks implements WatermarkStrategy<Arrival> {

    private static final long serialVersionUID = 1L;

    private final WatermarkStrategy<Arrival> strategy;

    private TokenWatermarks(WatermarkStrategy<Arrival> strategy) {
        this.strategy = strategy;
    }

    /**
     * Creates a strategy whose watermark is the newest token timestamp of a partition minus the
     * out-of-orderness.
     *
     * @param maxOutOfOrderness how far a token's timestamp may be behind the newest one of its
     *     partition without the token being late
     * @throws IllegalArgumentException if it is negative
     */
    public static TokenWatermarks forBoundedOutOfOrderness(Duration maxOutOfOrderness) {
        return new TokenWatermarks(WatermarkStrategy.forBoundedOutOfOrderness(maxOutOfOrderness));
    }

    /**
     * Marks a partition as idle after it has had no tokens for the given time. An idle partition
     * does not hold back the watermark of the other partitions. Dead letters do not count as
     * activity.
     *
     * @throws IllegalArgumentException if the timeout is not positive
     */
    @Override
    public TokenWatermarks withIdleness(Duration timeout) {
        return new TokenWatermarks(strategy.withIdleness(timeout));
    }

    /** Assigns the token's own timestamp. */
    @Override
    public TimestampAssigner<Arrival> createTimestampAssigner(
            TimestampAssignerSupplier.Context context) {
        return (arrival, written) ->
                arrival.token() == null ? Long.MIN_VALUE : arrival.token().timestamp();
    }

    @Override
    public WatermarkGenerator<Arrival> createWatermarkGenerator(
            WatermarkGeneratorSupplier.Context context) {
        return new Generator(strategy.createWatermarkGenerator(context));
    }

    /** The generator of one partition. */
    private static final class Generator implements WatermarkGenerator<Arrival> {

        /**
         * So many tokens at the start of a partition must be far behind their records before the
         * partition counts as idle. Fewer can be a few errors among correct tokens.
         */
        private static final int MIN_BEHIND = 10;

        private final WatermarkGenerator<Arrival> generator;
        private boolean hasEventTime;
        private int behind;

        Generator(WatermarkGenerator<Arrival> generator) {
            this.generator = generator;
        }

        @Override
        public void onEvent(Arrival arrival, long timestamp, WatermarkOutput output) {
            if (arrival.token() == null) {
                return;
            }
            if (arrival.isBehind()) {
                behind = Math.min(behind + 1, MIN_BEHIND);
                return;
            }
            hasEventTime = true;
            generator.onEvent(arrival, timestamp, output);
        }

        @Override
        public void onPeriodicEmit(WatermarkOutput output) {
            if (!hasEventTime && behind == MIN_BEHIND) {
                output.markIdle();
            } else {
                generator.onPeriodicEmit(hasEventTime ? output : new IdlenessOnly(output));
            }
        }
    }

    /**
     * Takes no watermark. Before a partition has a token, its watermark is the lowest, which says
     * nothing. Flink takes it as activity all the same: a reader as a whole has a generator without
     * records, and would be active though all its partitions are idle.
     */
    private record IdlenessOnly(WatermarkOutput output) implements WatermarkOutput {

        @Override
        public void emitWatermark(Watermark watermark) {}

        @Override
        public void markIdle() {
            output.markIdle();
        }

        @Override
        public void markActive() {
            output.markActive();
        }
    }
}
