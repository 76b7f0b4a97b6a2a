// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.graph;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** Builds one protobuf message. Its parts are copied only when the message is written. */
@Internal
public final class ProtoWriter implements FileContent {
    private final List<FileContent> parts = new ArrayList<>();
    private long size;

    public ProtoWriter varint(int field, long value) {
        tag(field, 0);
        return append(varint(value));
    }

    public ProtoWriter float32(int field, float value) {
        tag(field, 5);
        int bits = Float.floatToIntBits(value);
        return append(
                new byte[] {
                    (byte) bits, (byte) (bits >>> 8), (byte) (bits >>> 16), (byte) (bits >>> 24)
                });
    }

    public ProtoWriter bytes(int field, FileContent value) {
        tag(field, 2);
        append(varint(value.size()));
        parts.add(value);
        size += value.size();
        return this;
    }

    /** Adds a field whose value is encoded already, with its length if it has one. */
    public ProtoWriter encoded(int field, int wireType, FileContent value) {
        tag(field, wireType);
        parts.add(value);
        size += value.size();
        return this;
    }

    public ProtoWriter bytes(int field, byte[] value) {
        return bytes(field, FileContent.of(value));
    }

    public ProtoWriter string(int field, String value) {
        return bytes(field, value.getBytes(StandardCharsets.UTF_8));
    }

    public ProtoWriter message(int field, ProtoWriter value) {
        tag(field, 2);
        append(varint(value.size));
        parts.addAll(value.parts);
        size += value.size;
        return this;
    }

    /**
     * The number of bytes of the message.
     *
     * @throws IllegalArgumentException if the message is larger than 2 GiB, the limit of protobuf
     */
    @Override
    public long size() {
        if (size > Integer.MAX_VALUE - 8) {
            throw new IllegalArgumentException(
                    "the model has %d bytes; an ONNX file must be smaller than 2 GiB"
                            .formatted(size));
        }
        return size;
    }

    /**
     * The bytes of the message, at once.
     *
     * @throws IllegalArgumentException as {@link #size()} does
     */
    public byte[] toBytes() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream((int) size());
        try {
            writeTo(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    @Override
    public void writeTo(OutputStream out) throws IOException {
        size();
        for (FileContent part : parts) {
            part.writeTo(out);
        }
    }

    private void tag(int field, int wireType) {
        append(varint((long) field << 3 | wireType));
    }

    private ProtoWriter append(byte[] part) {
        parts.add(FileContent.of(part));
        size += part.length;
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
