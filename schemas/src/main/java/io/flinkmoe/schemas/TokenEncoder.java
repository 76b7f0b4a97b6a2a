// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;
import org.apache.avro.io.BinaryEncoder;

/** Writes a {@link Token} to Avro bytes and copies the vector in bulk. Not thread-safe. */
public final class TokenEncoder {

    private static final float[] NO_VALUES = {};

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
        return encode(stream, position, timestamp, values, null);
    }

    /**
     * @param timestamp event time, milliseconds since the epoch
     * @param inputs the values of the model's input columns by name, each a Boolean, Integer, Long,
     *     Float, Double, CharSequence, an array of one of these types, or null
     * @return the message, in a new array
     */
    public byte[] encode(String stream, long position, long timestamp, Map<String, ?> inputs) {
        return encode(stream, position, timestamp, NO_VALUES, inputs);
    }

    private byte[] encode(
            String stream, long position, long timestamp, float[] values, Map<String, ?> inputs) {
        try {
            BinaryEncoder out = writer.start();
            out.writeString(stream);
            out.writeLong(position);
            out.writeLong(timestamp);
            vectors.write(values, out);
            NamedValuesWriter.write(inputs, out);
            return writer.end();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
