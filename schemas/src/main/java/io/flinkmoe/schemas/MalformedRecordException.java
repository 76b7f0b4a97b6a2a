// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

/** Bytes that are not the expected record. The message gives the reason. */
public final class MalformedRecordException extends Exception {

    private static final long serialVersionUID = 1L;

    /** What the bytes look like. */
    public enum Kind {
        /** Confluent's wire format: a zero byte and a schema id before the record. */
        CONFLUENT,
        /** The text of a JSON object or array. */
        JSON,
        /** A token in Avro's other encoding: with a header instead of bare, or the reverse. */
        FORMAT,
        /** A record whose header names a schema that the decoder does not know. */
        UNKNOWN_SCHEMA,
        /** Anything else. */
        OTHER
    }

    private final Kind kind;

    /** Has no stack trace: bad records can be frequent, and the trace would always be the same. */
    MalformedRecordException(Kind kind, String reason) {
        super(reason, null, false, false);
        this.kind = kind;
    }

    MalformedRecordException(String reason) {
        this(Kind.OTHER, reason);
    }

    public Kind kind() {
        return kind;
    }
}
