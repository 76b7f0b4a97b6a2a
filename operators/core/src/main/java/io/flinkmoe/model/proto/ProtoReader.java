// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.proto;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.apache.flink.annotation.Internal;

/**
 * Reads the fields of one protobuf message, which may be malicious: it never reads beyond the end
 * of the message, and allocates nothing except the requested strings.
 */
@Internal
public final class ProtoReader {
    private static final int MAX_STRING = 4096;

    /** A message violates the wire format. */
    public static final class MalformedException extends Exception {
        private static final long serialVersionUID = 1L;

        public MalformedException(String message) {
            super(message);
        }
    }

    private final ByteBuffer message;
    private int wireType;

    public ProtoReader(ByteBuffer message) {
        this.message = message.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * The number of the next field, or 0 at the end. The caller must then read or skip the value.
     */
    public int nextField() throws MalformedException {
        if (!message.hasRemaining()) {
            return 0;
        }
        long tag = rawVarint();
        wireType = (int) (tag & 7);
        if (tag >>> 3 == 0 || tag >>> 3 > 0x1fffffff) {
            throw new MalformedException("a field has the number %d".formatted(tag >>> 3));
        }
        return (int) (tag >>> 3);
    }

    public long varint() throws MalformedException {
        require(0);
        return rawVarint();
    }

    public ProtoReader message() throws MalformedException {
        require(2);
        return new ProtoReader(take(rawVarint()));
    }

    public String string() throws MalformedException {
        require(2);
        ByteBuffer bytes = take(rawVarint());
        if (bytes.remaining() > MAX_STRING) {
            throw new MalformedException(
                    "a name has %d bytes; allowed: up to %d"
                            .formatted(bytes.remaining(), MAX_STRING));
        }
        return StandardCharsets.UTF_8.decode(bytes).toString();
    }

    /** The encoded value of the field, whatever its type. */
    public ByteBuffer encoded() throws MalformedException {
        int from = message.position();
        skip();
        return message.slice(from, message.position() - from);
    }

    /** Another reader of what this one has not read yet. */
    ProtoReader duplicate() {
        return new ProtoReader(message);
    }

    /** The bytes that this reader has not read yet. */
    ByteBuffer rest() {
        return message.slice();
    }

    /** The wire type of the field: 0 varint, 1 fixed 64 bits, 2 bytes, 5 fixed 32 bits. */
    public int wireType() {
        return wireType;
    }

    public void skip() throws MalformedException {
        switch (wireType) {
            case 0 -> rawVarint();
            case 1 -> take(8);
            case 2 -> take(rawVarint());
            case 5 -> take(4);
            default ->
                    throw new MalformedException(
                            "a field has the wire type %d; allowed: 0, 1, 2, 5"
                                    .formatted(wireType));
        }
    }

    private void require(int expected) throws MalformedException {
        if (wireType != expected) {
            throw new MalformedException(
                    "a field has the wire type %d; expected %d".formatted(wireType, expected));
        }
    }

    private ByteBuffer take(long length) throws MalformedException {
        if (length < 0 || length > message.remaining()) {
            throw new MalformedException(
                    "a field has %s bytes, but only %d are left"
                            .formatted(Long.toUnsignedString(length), message.remaining()));
        }
        ByteBuffer bytes = message.slice(message.position(), (int) length);
        message.position(message.position() + (int) length);
        return bytes;
    }

    private long rawVarint() throws MalformedException {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            if (!message.hasRemaining()) {
                throw new MalformedException("the file ends inside a number");
            }
            byte b = message.get();
            value |= (long) (b & 0x7f) << shift;
            if (b >= 0) {
                return value;
            }
        }
        throw new MalformedException("a number has more than 10 bytes");
    }
}
