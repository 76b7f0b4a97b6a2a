// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.api.Token;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;

/**
 * Emits a watermark after every token that advances event time, so results do not depend on the
 * clock.
 */
@Internal
final class EveryToken implements WatermarkGenerator<Token> {

    private long latest = Long.MIN_VALUE;

    @Override
    public void onEvent(Token token, long timestamp, WatermarkOutput output) {
        if (timestamp > latest) {
            latest = timestamp;
            output.emitWatermark(new Watermark(latest - 1));
        }
    }

    @Override
    public void onPeriodicEmit(WatermarkOutput output) {}
}
