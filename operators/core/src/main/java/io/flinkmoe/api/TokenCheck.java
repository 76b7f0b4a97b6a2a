// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.tensor.Floats;
import org.apache.flink.annotation.PublicEvolving;

/** Checks whether a token is valid for the inputs of a model. */
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

    /** The most bytes of a token's payload. */
    public static final int MAX_PAYLOAD_BYTES = 256 << 10;

    /** The most bytes of a token's numbers and strings, which must fit a block of tokens. */
    private static final long MAX_INPUT_BYTES = 1 << 20;

    private TokenCheck() {}

    /** Returns the arrival of a token, or of a dead letter if the token cannot be scored. */
    public static Arrival arrival(Token token, InputLayout inputs) {
        Rejection rejection = reasonToReject(token, inputs);
        return rejection == null ? Arrival.of(token) : Arrival.of(DeadLetter.of(token, rejection));
    }

    /**
     * Returns why a token cannot be scored.
     *
     * @param inputs the model's inputs
     * @return the reason, or null if the token is valid
     */
    public static Rejection reasonToReject(Token token, InputLayout inputs) {
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
        if (token.payload() != null && token.payload().length > MAX_PAYLOAD_BYTES) {
            return reject(
                    Kind.OTHER,
                    "the payload has %d bytes; allowed: up to %d",
                    token.payload().length,
                    MAX_PAYLOAD_BYTES);
        }
        return token.inputs() != null || !inputs.isVector()
                ? reasonToRejectInputs(token, inputs)
                : reasonToRejectVector(token.values(), inputs);
    }

    private static Rejection reasonToRejectInputs(Token token, InputLayout inputs) {
        TypedValues values = token.inputs();
        if (values == null) {
            return reject(
                    Kind.INPUT,
                    "the token has %s; the model takes the inputs %s",
                    token.values() == null ? "no inputs" : "a vector",
                    inputs.columns().describe());
        }
        if (values.problem() != null) {
            return new Rejection(Kind.INPUT, values.problem());
        }
        if (!values.layout().equals(inputs.columns())) {
            return reject(
                    Kind.INPUT,
                    "the token has the inputs %s; the model takes %s",
                    values.layout().describe(),
                    inputs.columns().describe());
        }
        long bytes = values.numbers().length;
        for (String text : values.strings()) {
            bytes += 2L * text.length();
        }
        return bytes <= MAX_INPUT_BYTES
                ? null
                : reject(
                        Kind.INPUT,
                        "the inputs have %d bytes; allowed: up to %d",
                        bytes,
                        MAX_INPUT_BYTES);
    }

    private static Rejection reasonToRejectVector(float[] values, InputLayout inputs) {
        int width = inputs.words();
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
        for (int i = 0; i < width; i++) {
            boolean isAllowed = inputs.allowsNan() && Float.isNaN(values[i]);
            if (!Float.isFinite(values[i]) && !isAllowed) {
                return reject(
                        Kind.NOT_FINITE,
                        "values[%d] is %s; only finite values are allowed",
                        i,
                        values[i]);
            }
        }
        return null;
    }

    private static Rejection reject(Kind kind, String format, Object... arguments) {
        return new Rejection(kind, format.formatted(arguments));
    }
}
