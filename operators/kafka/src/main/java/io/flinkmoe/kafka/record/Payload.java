// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.kafka.decode.RecordReader.Keeper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/**
 * What a token carries to its answer.
 *
 * @param form what the fields are; see {@link Keeper#form}
 * @param headers the kept headers
 * @param fields in JSON, the fields of an object, without its braces; in Avro, the binary encoding
 *     of the fields, one after another
 */
@Internal
record Payload(long form, List<Header> headers, byte[] fields) {

    private static final byte[] NO_FIELDS = {};

    byte[] toBytes() {
        try {
            DataOutputSerializer out = new DataOutputSerializer(16 + fields.length);
            out.writeLong(form);
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

    /** Adds the kept headers to an answer, and returns it. */
    ProducerRecord<byte[], byte[]> addHeaders(ProducerRecord<byte[], byte[]> answer) {
        for (Header header : headers) {
            answer.headers().add(header);
        }
        return answer;
    }

    /**
     * Reads the payload of a token.
     *
     * @param bytes null if the token has none
     * @param expected the form that the answer's fields have
     * @throws IllegalStateException if the fields have another form, or are not there and have to
     */
    static Payload of(byte[] bytes, long expected) {
        if (bytes == null) {
            if (expected != Keeper.JSON && expected != Keeper.NOTHING) {
                throw new IllegalStateException(
                        "a token carries no kept fields, but its answer has some; give the deserializer the fields of the answers");
            }
            return new Payload(expected, List.of(), NO_FIELDS);
        }
        try {
            DataInputDeserializer in = new DataInputDeserializer(bytes);
            long form = in.readLong();
            if (form != expected) {
                throw new IllegalStateException(
                        "a token carries kept fields of the form %016x; expected %016x: they were kept before the job was restored with another format, schema or list of fields to keep. Restore it with the former ones"
                                .formatted(form, expected));
            }
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
            return new Payload(form, headers, fields);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
