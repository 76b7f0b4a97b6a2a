// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.tensor.Floats;
import org.apache.flink.annotation.PublicEvolving;

/** Checks whether a token is valid for a model of a given input width. */
@PublicEvolving
public final class TokenCheck {

    /**
     * The maximum length of a stream's name, in characters. The name is the key of Kafka messages
     * and part of every record about the token.
     */
    public static final int MAX_STREAM_LENGTH = 1024;

    /**
     * The largest absolute timestamp, in milliseconds. Larger ones could overflow when windows are
     * computed.
     */
    private static final long MAX_TIMESTAMP = 1L << 61;

    private TokenCheck() {}

    /**
     * Returns why a token cannot be scored.
     *
     * @param width the model's input width
     * @return the reason, or null if the token is valid
     */
    public static String reasonToReject(Token token, int width) {
        if (token.stream() == null) {
            return "stream is null";
        }
        if (token.stream().length() > MAX_STREAM_LENGTH) {
            return "stream has %d characters; allowed: up to %d"
                    .formatted(token.stream().length(), MAX_STREAM_LENGTH);
        }
        if (Math.abs(token.timestamp()) > MAX_TIMESTAMP || token.timestamp() == Long.MIN_VALUE) {
            return "timestamp is %d; allowed: -2^61 to 2^61 ms".formatted(token.timestamp());
        }
        float[] values = token.values();
        if (values == null) {
            return "values is null";
        }
        if (values.length != width) {
            return "values has %d entries; the model takes %d".formatted(values.length, width);
        }
        if (Floats.allFinite(values, 0, width)) {
            return null;
        }
        int bad = 0;
        while (Float.isFinite(values[bad])) {
            bad++;
        }
        return "values[%d] is %s; only finite values are allowed".formatted(bad, values[bad]);
    }
}
