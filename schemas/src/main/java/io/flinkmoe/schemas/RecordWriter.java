// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import java.io.ByteArrayOutputStream;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;

/** Writes records into memory, one at a time, each with the header of the encoding. */
final class RecordWriter {

    private final byte[] header;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream(512);
    private final BinaryEncoder out = EncoderFactory.get().directBinaryEncoder(bytes, null);

    private RecordWriter(byte[] header) {
        this.header = header;
    }

    static RecordWriter singleObject(Schema schema) {
        return new RecordWriter(SingleObject.header(schema));
    }

    static RecordWriter raw() {
        return new RecordWriter(new byte[0]);
    }

    /** Starts a record. The caller writes its fields to the encoder, in the schema's order. */
    BinaryEncoder start() {
        bytes.reset();
        bytes.writeBytes(header);
        return out;
    }

    /** Ends the record and returns its bytes in a new array. */
    byte[] end() {
        return bytes.toByteArray();
    }
}
