// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * A record of a topic, unchanged.
 *
 * @param key the key; null if the record has none
 * @param value the value; null if the record has none (a tombstone)
 * @param headers the headers, in their order
 * @param timestamp the record's timestamp, milliseconds since the epoch; negative if it has none
 */
@PublicEvolving
public record RawRecord(byte[] key, byte[] value, List<Header> headers, long timestamp) {

    public RawRecord {
        headers = List.copyOf(headers);
    }

    /** Returns a record that has only a value. */
    public static RawRecord of(byte[] value) {
        return new RawRecord(null, value, List.of(), -1);
    }

    /**
     * A header of a record.
     *
     * @param key the name
     * @param value null if the header has none
     */
    @PublicEvolving
    public record Header(String key, byte[] value) {

        @Override
        public boolean equals(Object other) {
            return other instanceof Header that
                    && key.equals(that.key)
                    && Arrays.equals(value, that.value);
        }

        @Override
        public int hashCode() {
            return Objects.hash(key, Arrays.hashCode(value));
        }

        @Override
        public String toString() {
            return "Header[key=%s, value=%s]".formatted(key, describe(value));
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof RawRecord that
                && Arrays.equals(key, that.key)
                && Arrays.equals(value, that.value)
                && headers.equals(that.headers)
                && timestamp == that.timestamp;
    }

    @Override
    public int hashCode() {
        return Objects.hash(Arrays.hashCode(key), Arrays.hashCode(value), headers, timestamp);
    }

    @Override
    public String toString() {
        return "RawRecord[key=%s, value=%s, headers=%s, timestamp=%s]"
                .formatted(describe(key), describe(value), headers, timestamp);
    }

    private static String describe(byte[] bytes) {
        return bytes == null ? "null" : bytes.length + " bytes";
    }

    static void write(RawRecord record, DataOutputView out) throws IOException {
        Wire.writeBytes(record.key, out);
        Wire.writeBytes(record.value, out);
        out.writeInt(record.headers.size());
        for (Header header : record.headers) {
            Wire.writeString(header.key, out);
            Wire.writeBytes(header.value, out);
        }
        out.writeLong(record.timestamp);
    }

    static RawRecord read(DataInputView in) throws IOException {
        byte[] key = Wire.readBytes(in);
        byte[] value = Wire.readBytes(in);
        List<Header> headers = new ArrayList<>();
        for (int left = in.readInt(); left > 0; left--) {
            headers.add(new Header(Wire.readString(in), Wire.readBytes(in)));
        }
        return new RawRecord(key, value, headers, in.readLong());
    }
}
