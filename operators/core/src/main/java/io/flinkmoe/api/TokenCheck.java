// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.api.Rejection.Kind;
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
    public static Rejection reasonToReject(Token token, int width) {
        if (token.stream() == null) {
            return new Rejection(Kind.STREAM, "stream is null");
        }
        if (token.stream().length() > MAX_STREAM_LENGTH) {
            return reject(
                    Kind.STREAM,
                    "stream has %d characters; allowed: up to %d",
                    token.stream().length(),
                    MAX_STREAM_LENGTH);
        }
        if (Math.abs(token.timestamp()) > MAX_TIMESTAMP || token.timestamp() == Long.MIN_VALUE) {
            return reject(
                    Kind.TIMESTAMP,
                    "timestamp is %d; allowed: -2^61 to 2^61 ms",
                    token.timestamp());
        }
        float[] values = token.values();
        if (values == null) {
            return new Rejection(Kind.WIDTH, "values is null");
        }
        if (values.length != width) {
            return reject(
                    Kind.WIDTH, "values has %d entries; the model takes %d", values.length, width);
        }
        if (Floats.allFinite(values, 0, width)) {
            return null;
        }
        int bad = 0;
        while (Float.isFinite(values[bad])) {
            bad++;
        }
        return reject(
                Kind.NOT_FINITE,
                "values[%d] is %s; only finite values are allowed",
                bad,
                values[bad]);
    }

    private static Rejection reject(Kind kind, String format, Object... arguments) {
        return new Rejection(kind, format.formatted(arguments));
    }
}
