// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** Builds one protobuf message. Its parts are copied only once, when the bytes are requested. */
@Internal
final class ProtoWriter {
    private final List<byte[]> chunks = new ArrayList<>();
    private long size;

    ProtoWriter varint(int field, long value) {
        tag(field, 0);
        return append(varint(value));
    }

    ProtoWriter float32(int field, float value) {
        tag(field, 5);
        int bits = Float.floatToIntBits(value);
        return append(
                new byte[] {
                    (byte) bits, (byte) (bits >>> 8), (byte) (bits >>> 16), (byte) (bits >>> 24)
                });
    }

    ProtoWriter bytes(int field, byte[] value) {
        tag(field, 2);
        return append(varint(value.length)).append(value);
    }

    ProtoWriter string(int field, String value) {
        return bytes(field, value.getBytes(StandardCharsets.UTF_8));
    }

    ProtoWriter message(int field, ProtoWriter value) {
        tag(field, 2);
        append(varint(value.size));
        chunks.addAll(value.chunks);
        size += value.size;
        return this;
    }

    /**
     * The bytes of the message.
     *
     * @throws IllegalArgumentException if the message is larger than 2 GiB, the limit of protobuf
     */
    byte[] toBytes() {
        if (size > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException(
                    "the model has %d bytes; an ONNX file must be smaller than 2 GiB"
                            .formatted(size));
        }
        byte[] all = new byte[(int) size];
        int at = 0;
        for (byte[] chunk : chunks) {
            System.arraycopy(chunk, 0, all, at, chunk.length);
            at += chunk.length;
        }
        return all;
    }

    /** Writes the message without copying it. */
    void writeTo(OutputStream out) throws IOException {
        for (byte[] chunk : chunks) {
            out.write(chunk);
        }
    }

    private void tag(int field, int wireType) {
        append(varint((long) field << 3 | wireType));
    }

    private ProtoWriter append(byte[] chunk) {
        chunks.add(chunk);
        size += chunk.length;
        return this;
    }

    private static byte[] varint(long value) {
        byte[] bytes = new byte[Math.max(1, (70 - Long.numberOfLeadingZeros(value)) / 7)];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (value >>> 7 * i & 0x7f | (i + 1 < bytes.length ? 0x80 : 0));
        }
        return bytes;
    }
}
