// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import java.nio.ByteBuffer;
import org.apache.flink.annotation.Internal;

/**
 * Confluent's wire format: a zero byte, the id of the writer's schema in 4 bytes (big endian), and
 * the record in Avro's binary encoding.
 */
@Internal
public final class WireFormat {

    /** The bytes before the record. */
    public static final int HEADER_BYTES = 5;

    private static final byte MAGIC = 0;

    private WireFormat() {}

    /** Whether a message begins with the header. */
    public static boolean hasHeader(byte[] message) {
        return message != null && message.length >= HEADER_BYTES && message[0] == MAGIC;
    }

    /** The schema id of a message that {@link #hasHeader}. */
    public static int schemaId(byte[] message) {
        return ByteBuffer.wrap(message).getInt(1);
    }

    /** Returns a message with the header and a record. */
    public static byte[] message(int schemaId, byte[] record) {
        return ByteBuffer.allocate(HEADER_BYTES + record.length)
                .put(MAGIC)
                .putInt(schemaId)
                .put(record)
                .array();
    }
}
