// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;

/**
 * The header of Avro's single-object encoding: C3 01, then the CRC-64-AVRO fingerprint of the
 * writer's schema, 8 bytes, little endian.
 */
final class SingleObject {

    static final int HEADER_BYTES = 10;

    private SingleObject() {}

    static long fingerprint(Schema schema) {
        return SchemaNormalization.parsingFingerprint64(schema);
    }

    static byte[] header(Schema schema) {
        return ByteBuffer.allocate(HEADER_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put((byte) 0xC3)
                .put((byte) 0x01)
                .putLong(fingerprint(schema))
                .array();
    }

    /** Whether a message begins as one in this encoding. */
    static boolean isMarked(byte[] message) {
        return message.length >= HEADER_BYTES
                && message[0] == (byte) 0xC3
                && message[1] == (byte) 0x01;
    }

    /** The fingerprint in a message's header. */
    static long readFingerprint(byte[] message) throws MalformedRecordException {
        if (message.length == 0) {
            throw new MalformedRecordException("not Avro single-object encoding: no bytes");
        }
        boolean marked =
                message[0] == (byte) 0xC3 && (message.length == 1 || message[1] == (byte) 0x01);
        if (!marked) {
            String start =
                    HexFormat.ofDelimiter(" ")
                            .withUpperCase()
                            .formatHex(message, 0, Math.min(2, message.length));
            throw new MalformedRecordException(
                    "not Avro single-object encoding: starts with " + start);
        }
        if (message.length < HEADER_BYTES) {
            throw new MalformedRecordException("ends in the middle of the header");
        }
        return ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN).getLong(2);
    }
}
