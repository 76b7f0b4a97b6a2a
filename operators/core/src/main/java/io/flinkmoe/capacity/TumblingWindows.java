// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.Experimental;

/**
 * Tumbling event-time windows, aligned with the epoch. A window of size s that starts at a holds
 * the timestamps a to a+s-1, and is closed once the watermark reaches a+s-1.
 *
 * @param size milliseconds, at least 1
 */
@Experimental
public record TumblingWindows(long size) implements Windows {

    public TumblingWindows {
        if (size < 1) {
            throw new IllegalArgumentException(
                    "window size is %d ms; allowed: 1 ms or more".formatted(size));
        }
    }

    @Override
    public boolean areBounded() {
        return true;
    }

    @Override
    public long startOf(long timestamp) {
        return timestamp - Math.floorMod(timestamp, size);
    }

    @Override
    public long lastOf(long start) {
        return start + size - 1;
    }

    @Override
    public boolean isClosed(long timestamp, long watermark) {
        return lastOf(startOf(timestamp)) <= watermark;
    }

    @Override
    public boolean endsBetween(long before, long now) {
        return before == Long.MIN_VALUE || isClosed(before + 1, now);
    }
}
