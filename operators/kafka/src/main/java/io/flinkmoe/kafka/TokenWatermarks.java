package io.flinkmoe.kafka;

import io.flinkmoe.api.Arrival;
import java.time.Duration;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.eventtime.TimestampAssigner;
import org.apache.flink.api.common.eventtime.TimestampAssignerSupplier;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkGeneratorSupplier;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;

/**
 * Watermarks of the tokens alone: a dead letter neither moves the watermark nor keeps a partition
 * from becoming idle. A partition with nothing but bad records does not hold back the windows.
 *
 * <p>Event time is the token's own timestamp, not that of its Kafka record. Give the same
 * out-of-orderness to the layers, so that a token is late by the same measure whichever subtask
 * reads its partition.
 */
@PublicEvolving
public final class TokenWatermarks implements WatermarkStrategy<Arrival> {

    private static final long serialVersionUID = 1L;

    private final WatermarkStrategy<Arrival> ofTokens;

    private TokenWatermarks(WatermarkStrategy<Arrival> ofTokens) {
        this.ofTokens = ofTokens;
    }

    /**
     * Watermarks that follow the newest token of a partition at a distance.
     *
     * @param maxOutOfOrderness how far a token's timestamp may be behind the newest one of its
     *     partition without being late
     * @throws IllegalArgumentException if it is negative
     */
    public static TokenWatermarks forBoundedOutOfOrderness(Duration maxOutOfOrderness) {
        return new TokenWatermarks(WatermarkStrategy.forBoundedOutOfOrderness(maxOutOfOrderness));
    }

    /**
     * The same watermarks, where a partition without tokens for so long no longer holds back the
     * watermark of the others. Dead letters do not count as activity.
     *
     * @throws IllegalArgumentException if the timeout is not positive
     */
    @Override
    public TokenWatermarks withIdleness(Duration timeout) {
        return new TokenWatermarks(ofTokens.withIdleness(timeout));
    }

    /** A token's own timestamp. */
    @Override
    public TimestampAssigner<Arrival> createTimestampAssigner(
            TimestampAssignerSupplier.Context context) {
        return (arrival, written) ->
                arrival.token() == null ? Long.MIN_VALUE : arrival.token().timestamp();
    }

    @Override
    public WatermarkGenerator<Arrival> createWatermarkGenerator(
            WatermarkGeneratorSupplier.Context context) {
        WatermarkGenerator<Arrival> generator = ofTokens.createWatermarkGenerator(context);
        return new WatermarkGenerator<>() {
            @Override
            public void onEvent(Arrival arrival, long timestamp, WatermarkOutput output) {
                if (arrival.token() != null) {
                    generator.onEvent(arrival, timestamp, output);
                }
            }

            @Override
            public void onPeriodicEmit(WatermarkOutput output) {
                generator.onPeriodicEmit(output);
            }
        };
    }
}
