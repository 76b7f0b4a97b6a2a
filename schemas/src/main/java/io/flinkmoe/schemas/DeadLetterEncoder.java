// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.avro.io.BinaryEncoder;

/** Writes a {@link DeadLetter} to Avro bytes. Not thread-safe. */
public final class DeadLetterEncoder {

    private final RecordWriter writer;

    private DeadLetterEncoder(RecordWriter writer) {
        this.writer = writer;
    }

    /** An encoder for Avro's single-object encoding. */
    public static DeadLetterEncoder singleObject() {
        return new DeadLetterEncoder(RecordWriter.singleObject(DeadLetter.getClassSchema()));
    }

    /** An encoder for bare Avro, without a header. */
    public static DeadLetterEncoder raw() {
        return new DeadLetterEncoder(RecordWriter.raw());
    }

    /**
     * @param record the bytes that could not be scored
     * @return the message, in a new array
     */
    public byte[] encode(byte[] record, String topic, int partition, long offset, String reason) {
        try {
            BinaryEncoder out = writer.start();
            out.writeBytes(record, 0, record.length);
            out.writeString(topic);
            out.writeInt(partition);
            out.writeLong(offset);
            out.writeString(reason);
            return writer.end();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
