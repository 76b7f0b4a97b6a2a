// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.Internal;

/** The one window of a layer without a capacity: it holds every timestamp and never closes. */
@Internal
public record GlobalWindow() implements Windows {

    /** Its start. */
    public static final long START = Long.MIN_VALUE;

    @Override
    public boolean areBounded() {
        return false;
    }

    @Override
    public long size() {
        return Long.MAX_VALUE;
    }

    @Override
    public long startOf(long timestamp) {
        return START;
    }

    @Override
    public long lastOf(long start) {
        return Long.MAX_VALUE;
    }

    @Override
    public boolean isClosed(long timestamp, long watermark) {
        return false;
    }

    @Override
    public boolean endsBetween(long before, long now) {
        return false;
    }
}
