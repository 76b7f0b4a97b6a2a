package io.flinkmoe.jobs.kafka;

import io.flinkmoe.api.Arrival;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkGeneratorSupplier;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;

/**
 * The watermarks of the tokens alone: a dead letter neither moves one nor keeps a partition from
 * being idle, so that a partition of nothing but bad records does not hold up the windows for ever.
 *
 * @param ofTokens what makes the watermarks of the tokens, idleness included
 */
record TokenWatermarks(WatermarkStrategy<Arrival> ofTokens) implements WatermarkStrategy<Arrival> {

    private static final long serialVersionUID = 1L;

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
