package io.flinkmoe.capacity;

import java.io.Serializable;

/**
 * Tumbling event-time windows, aligned with the epoch. A window of size s that starts at a holds
 * the timestamps a to a+s-1, and is closed once the watermark reaches a+s-1.
 *
 * @param size milliseconds, at least 1
 */
public record TumblingWindows(long size) implements Serializable {

    public TumblingWindows {
        if (size < 1) {
            throw new IllegalArgumentException(
                    "window size is %d ms; allowed: 1 ms or more".formatted(size));
        }
    }

    /** Start of the window that holds {@code timestamp}. */
    public long startOf(long timestamp) {
        return timestamp - Math.floorMod(timestamp, size);
    }

    /** Last timestamp of the window that starts at {@code start}. */
    public long lastOf(long start) {
        return start + size - 1;
    }

    /** Whether the window of {@code timestamp} is closed at {@code watermark}. */
    public boolean isClosed(long timestamp, long watermark) {
        return lastOf(startOf(timestamp)) <= watermark;
    }

    /**
     * Whether a watermark that moves from {@code before} to {@code now} closes any window. The
     * first watermark of all, with {@code before} = {@code Long.MIN_VALUE}, always does.
     */
    public boolean endsBetween(long before, long now) {
        return before == Long.MIN_VALUE || isClosed(before + 1, now);
    }
}
