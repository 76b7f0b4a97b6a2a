// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import java.io.Serializable;
import org.apache.flink.annotation.Experimental;

/** The event-time windows in which capacity is counted. */
@Experimental
public interface Windows extends Serializable {

    /** Whether windows end. Without an end nothing is ever late, counted or decided at a close. */
    boolean areBounded();

    /** Milliseconds. */
    long size();

    /** Start of the window that holds {@code timestamp}. */
    long startOf(long timestamp);

    /** Last timestamp of the window that starts at {@code start}. */
    long lastOf(long start);

    /** Whether the window of {@code timestamp} is closed at {@code watermark}. */
    boolean isClosed(long timestamp, long watermark);

    /**
     * Whether a watermark that moves from {@code before} to {@code now} closes any window. The
     * first watermark, with {@code before} = {@code Long.MIN_VALUE}, always does if windows end.
     */
    boolean endsBetween(long before, long now);
}
