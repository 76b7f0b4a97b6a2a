package io.flinkmoe.schemas;

import java.io.ByteArrayOutputStream;
import org.apache.avro.Schema;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;

/** Writes one record after the other into memory, with the header if there is one. */
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

    /** Starts a record: its fields go to the encoder, in the schema's order. */
    BinaryEncoder start() {
        bytes.reset();
        bytes.writeBytes(header);
        return out;
    }

    /** Ends the record: its bytes, in an array of their own. */
    byte[] end() {
        return bytes.toByteArray();
    }
}
