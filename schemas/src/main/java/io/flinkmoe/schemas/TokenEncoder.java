// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import java.io.IOException;
import java.io.UncheckedIOException;
import org.apache.avro.io.BinaryEncoder;

/** Writes a {@link Token} to Avro bytes and copies the vector in bulk. Not thread-safe. */
public final class TokenEncoder {

    private final RecordWriter writer;
    private final VectorCodec vectors = new VectorCodec();

    private TokenEncoder(RecordWriter writer) {
        this.writer = writer;
    }

    /** An encoder for Avro's single-object encoding. */
    public static TokenEncoder singleObject() {
        return new TokenEncoder(RecordWriter.singleObject(Token.getClassSchema()));
    }

    /** An encoder for bare Avro, without a header. */
    public static TokenEncoder raw() {
        return new TokenEncoder(RecordWriter.raw());
    }

    /**
     * @param timestamp event time, milliseconds since the epoch
     * @return the message, in a new array
     */
    public byte[] encode(String stream, long position, long timestamp, float[] values) {
        try {
            BinaryEncoder out = writer.start();
            out.writeString(stream);
            out.writeLong(position);
            out.writeLong(timestamp);
            vectors.write(values, out);
            return writer.end();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
