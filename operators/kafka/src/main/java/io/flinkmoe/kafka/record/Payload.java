// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/**
 * What a token carries to its answer.
 *
 * @param fields the fields of a JSON object, without its braces
 */
@Internal
record Payload(List<Header> headers, byte[] fields) {

    static final Payload NONE = new Payload(List.of(), new byte[0]);

    byte[] toBytes() {
        try {
            DataOutputSerializer out = new DataOutputSerializer(16 + fields.length);
            out.writeInt(headers.size());
            for (Header header : headers) {
                out.writeUTF(header.key());
                out.writeInt(header.value() == null ? -1 : header.value().length);
                if (header.value() != null) {
                    out.write(header.value());
                }
            }
            out.write(fields);
            return out.getCopyOfBuffer();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Payload of(byte[] bytes) {
        if (bytes == null) {
            return NONE;
        }
        try {
            DataInputDeserializer in = new DataInputDeserializer(bytes);
            List<Header> headers = new ArrayList<>();
            for (int left = in.readInt(); left > 0; left--) {
                String key = in.readUTF();
                int length = in.readInt();
                byte[] value = length < 0 ? null : new byte[length];
                if (value != null) {
                    in.readFully(value);
                }
                headers.add(new RecordHeader(key, value));
            }
            byte[] fields = new byte[in.available()];
            in.readFully(fields);
            return new Payload(headers, fields);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
