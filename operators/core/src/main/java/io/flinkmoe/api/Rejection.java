// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import java.util.Locale;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * Why a record or token cannot be scored.
 *
 * @param kind the kind of the reason, by which metrics count
 * @param reason the reason in words, with the offending values
 */
@PublicEvolving
public record Rejection(Kind kind, String reason) {

    /** The kinds of reasons. */
    @PublicEvolving
    public enum Kind {
        /** A record without a value, a tombstone. */
        NO_VALUE("records without a value (tombstones)"),
        /** A record whose value has no bytes. */
        EMPTY_VALUE("empty values"),
        /** A record in Confluent's wire format. */
        CONFLUENT("Confluent's wire format"),
        /** A record in JSON. */
        JSON("JSON"),
        /** A token in Avro's other encoding: with a header instead of bare, or the reverse. */
        FORMAT("Avro in the other encoding; set moe.format"),
        /** A record whose header names a schema that is not known. */
        UNKNOWN_SCHEMA("an unknown schema"),
        /** Other bytes that are not a token. */
        MALFORMED("malformed records"),
        /** No stream, or one that is too long. */
        STREAM("no stream, or one that is too long"),
        /** A timestamp outside the range of event time. */
        TIMESTAMP("a timestamp out of range"),
        /** A timestamp too far after that of the record. */
        AHEAD("a timestamp too far ahead of the record"),
        /** A timestamp too far after the clock of the machine that reads the record. */
        AHEAD_OF_CLOCK("a timestamp too far ahead of this machine's clock"),
        /** No values, or another number of them than the model takes. */
        WIDTH("a wrong number of values"),
        /** An input that is missing, has another type, or is not finite. */
        INPUT("inputs that are missing, have another type, or are not finite"),
        /** A value that is NaN or infinite. */
        NOT_FINITE("values that are not finite"),
        /** A token that makes a part of the model throw. */
        MODEL("tokens that the model cannot read"),
        /** A token for which the output of the encoder or the head is not finite. */
        OUTPUT_NOT_FINITE("tokens for which the model's output is not finite"),
        /** A token for which the table of a gate has no expert, and no fallback. */
        NO_EXPERT("tokens that no rule of the model gives an expert"),
        /** Any other. */
        OTHER("other reasons");

        private final String text;

        Kind(String text) {
            this.text = text;
        }

        /** The kind in words, for messages. */
        public String text() {
            return text;
        }

        /** The name in metrics and dead letters, such as {@code no-value}. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT).replace('_', '-');
        }
    }

    /** The reason in words. */
    @Override
    public String toString() {
        return reason;
    }

    static void write(Rejection rejection, DataOutputView out) throws IOException {
        Wire.writeString(rejection.kind.name(), out);
        Wire.writeString(rejection.reason, out);
    }

    static Rejection read(DataInputView in) throws IOException {
        return new Rejection(Kind.valueOf(Wire.readString(in)), Wire.readString(in));
    }
}
