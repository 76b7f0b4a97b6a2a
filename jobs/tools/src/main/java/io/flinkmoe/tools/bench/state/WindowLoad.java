// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import io.flinkmoe.api.Decision;
import io.flinkmoe.capacity.Outcome;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;
import org.apache.flink.annotation.Internal;

/**
 * The tokens of a job in this process, and how many of them may be sent. Window 0 warms the job up;
 * all later windows are equal. A window closes when a token of a later one is sent, or by {@link
 * #close}. Only one job can run at a time.
 */
@Internal
final class WindowLoad {

    /** The length of a window in milliseconds of event time. */
    static final long WINDOW_MILLIS = 1000;

    private static volatile WindowLoad current;

    private final int warmUp;
    private final int tokens;
    private final AtomicLong sent = new AtomicLong();
    private final AtomicLong answers = new AtomicLong();
    private final AtomicLongArray outcomes = new AtomicLongArray(Outcome.values().length);
    private volatile long allowed;
    private volatile long watermark = Long.MIN_VALUE;

    /**
     * @param warmUp the tokens of window 0
     * @param tokens the tokens of each later window
     */
    WindowLoad(int warmUp, int tokens) {
        this.warmUp = warmUp;
        this.tokens = tokens;
    }

    /** Sets the load that source and sink of the next job use. */
    static void begin(WindowLoad load) {
        current = load;
    }

    static WindowLoad current() {
        return current;
    }

    /** The number of tokens of the first windows together. */
    long tokensOf(long windows) {
        return windows == 0 ? 0 : warmUp + (windows - 1) * tokens;
    }

    /** The window of a token. */
    long windowOf(long number) {
        return number < warmUp ? 0 : 1 + (number - warmUp) / tokens;
    }

    /** The event time of a token. The tokens of a window are spread evenly over it. */
    long timestampOf(long number) {
        long window = windowOf(number);
        long size = window == 0 ? warmUp : tokens;
        return window * WINDOW_MILLIS + (number - tokensOf(window)) * WINDOW_MILLIS / size;
    }

    /** Allows the source to send tokens, up to this number. */
    void allow(long number) {
        allowed = number;
    }

    boolean allows(long number) {
        return number < allowed;
    }

    void sent() {
        sent.incrementAndGet();
    }

    /** The number of tokens that were sent. */
    long numSent() {
        return sent.get();
    }

    /** Closes a window that no token follows. */
    void close(long window) {
        watermark = (window + 1) * WINDOW_MILLIS - 1;
    }

    /** The watermark of the windows that were closed. */
    long watermark() {
        return watermark;
    }

    void answered(Decision[] layers) {
        for (Decision layer : layers) {
            for (Outcome outcome : layer.outcomes()) {
                outcomes.incrementAndGet(outcome.ordinal());
            }
        }
        answers.incrementAndGet();
    }

    /** The number of answers that have arrived. */
    long numAnswers() {
        return answers.get();
    }

    /** Throws an exception if a choice was late or failed: then there was no full window. */
    void requireOnTime() {
        long lost = outcomes.get(Outcome.LATE.ordinal()) + outcomes.get(Outcome.FAILED.ordinal());
        if (lost > 0) {
            throw new IllegalStateException(
                    "%,d choices were late or failed, so no full window was measured"
                            .formatted(lost));
        }
    }
}
