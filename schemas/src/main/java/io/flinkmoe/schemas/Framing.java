// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import io.flinkmoe.schemas.MalformedRecordException.Kind;
import java.nio.ByteBuffer;

/** Recognizes other encodings of bytes that are not the expected record. */
final class Framing {

    /** A zero byte, and a schema id of 4 bytes. */
    private static final int CONFLUENT_HEADER_BYTES = 5;

    private Framing() {}

    /**
     * Adds to a reason which encoding the message seems to have.
     *
     * @param malformed why it is not the expected record
     */
    static MalformedRecordException explain(byte[] message, MalformedRecordException malformed) {
        if (malformed.kind() != Kind.OTHER) {
            return malformed;
        }
        long schemaId = confluentSchemaId(message);
        if (schemaId > 0) {
            return new MalformedRecordException(
                    Kind.CONFLUENT,
                    "%s; looks like Confluent's wire format (schema id %d), which moe.format: avro-registry reads"
                            .formatted(malformed.getMessage(), schemaId));
        }
        String json = json(message);
        return json == null
                ? malformed
                : new MalformedRecordException(
                        Kind.JSON,
                        "%s; looks like JSON (an %s), which moe.format: json reads"
                                .formatted(malformed.getMessage(), json));
    }

    /** The schema id of Confluent's wire format, which is 1 or more; 0 if it is not that format. */
    private static long confluentSchemaId(byte[] message) {
        return message.length >= CONFLUENT_HEADER_BYTES && message[0] == 0
                ? ByteBuffer.wrap(message).getInt(1) & 0xFFFFFFFFL
                : 0;
    }

    /** Returns the kind of JSON text, by its first and last character, or null. */
    private static String json(byte[] message) {
        int first = 0;
        int last = message.length - 1;
        if (last >= 2
                && message[0] == (byte) 0xEF
                && message[1] == (byte) 0xBB
                && message[2] == (byte) 0xBF) {
            first = 3; // UTF-8's byte order mark.
        }
        while (first < last && isBlank(message[first])) {
            first++;
        }
        while (last > first && isBlank(message[last])) {
            last--;
        }
        if (first >= last) {
            return null;
        }
        if (message[first] == '{' && message[last] == '}') {
            return "object";
        }
        return message[first] == '[' && message[last] == ']' ? "array" : null;
    }

    private static boolean isBlank(byte character) {
        return character == ' ' || character == '\t' || character == '\n' || character == '\r';
    }
}
