// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DatumReader;
import org.apache.avro.io.DatumWriter;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.avro.specific.SpecificData;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecord;

/** Avro's own readers and writers, which ours are held against. */
final class Avro {

    private Avro() {}

    static byte[] singleObject(GenericRecord value) throws IOException {
        SpecificData model = SpecificData.getForSchema(value.getSchema());
        return bytes(
                new BinaryMessageEncoder<GenericRecord>(model, value.getSchema()).encode(value));
    }

    static byte[] raw(GenericRecord value) throws IOException {
        return write(value, false);
    }

    /** Arrays in several blocks, each with its size in bytes. */
    static byte[] rawInBlocks(GenericRecord value) throws IOException {
        return write(value, true);
    }

    static <T extends SpecificRecord> T read(byte[] raw, Class<T> type) throws IOException {
        DatumReader<T> reader = new SpecificDatumReader<>(type);
        return reader.read(null, DecoderFactory.get().binaryDecoder(raw, null));
    }

    private static byte[] write(GenericRecord value, boolean blocks) throws IOException {
        Schema schema = value.getSchema();
        DatumWriter<GenericRecord> writer =
                new SpecificDatumWriter<>(schema, SpecificData.getForSchema(schema));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        EncoderFactory factory = new EncoderFactory().configureBlockSize(64);
        BinaryEncoder out =
                blocks
                        ? factory.blockingBinaryEncoder(bytes, null)
                        : factory.binaryEncoder(bytes, null);
        writer.write(value, out);
        out.flush();
        return bytes.toByteArray();
    }

    private static byte[] bytes(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return bytes;
    }
}
