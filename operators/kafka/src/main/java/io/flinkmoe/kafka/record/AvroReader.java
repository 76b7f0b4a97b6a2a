// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.api.Rejection.Kind;
import java.io.EOFException;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads records in Avro's binary encoding with the reader's schema, whatever schema they were
 * written with. The reader's schema stays the same, so that a restart decodes as before.
 */
@Internal
final class AvroReader implements RecordReader {

    private static final Logger LOG = LoggerFactory.getLogger(AvroReader.class);

    private final Schema readerSchema;
    private final WriterOf writers;
    private final Map<Schema, GenericDatumReader<GenericRecord>> readers = new HashMap<>();
    private BinaryDecoder decoder;
    private GenericRecord reused;
    private int dropped;

    /** The writer's schema of a message, and where its record begins. */
    interface WriterOf {

        Schema schema(byte[] message) throws BadRecordException;

        /** The bytes before the record. */
        int headerBytes();

        /** Records that were all written with one schema, and have no header. */
        static WriterOf always(Schema schema) {
            return new WriterOf() {
                @Override
                public Schema schema(byte[] message) {
                    return schema;
                }

                @Override
                public int headerBytes() {
                    return 0;
                }
            };
        }
    }

    /**
     * @param readerSchema the schema of the decoded records, a record
     */
    AvroReader(Schema readerSchema, WriterOf writers) {
        this.readerSchema = ReaderSchema.withNullDefaults(readerSchema);
        this.writers = writers;
    }

    @Override
    public Object decode(byte[] message) throws BadRecordException {
        Schema writer = writers.schema(message);
        int header = writers.headerBytes();
        decoder =
                DecoderFactory.get()
                        .binaryDecoder(message, header, message.length - header, decoder);
        try {
            reused = reader(writer).read(reused, decoder);
            if (!decoder.isEnd()) {
                throw malformed(writer, "bytes are left after the record");
            }
            return reused;
        } catch (EOFException e) {
            throw malformed(writer, "the bytes end within the record");
        } catch (IOException | AvroRuntimeException | ClassCastException | StackOverflowError e) {
            // Bytes that were written with another schema lead into any branch of the decoder.
            throw malformed(writer, String.valueOf(e.getMessage()));
        } catch (IndexOutOfBoundsException | NegativeArraySizeException e) {
            throw malformed(writer, "a length or an index in it is out of range");
        }
    }

    private BadRecordException malformed(Schema writer, String reason) {
        reused = null; // Partly overwritten.
        return new BadRecordException(
                Kind.MALFORMED,
                "the value is no record of the schema %s: %s"
                        .formatted(writer.getFullName(), reason));
    }

    /** Schemas come from one cache per process, so the same one is found by identity first. */
    private GenericDatumReader<GenericRecord> reader(Schema writer) {
        GenericDatumReader<GenericRecord> reader = readers.get(writer);
        if (reader == null) {
            reader = new GenericDatumReader<>(writer, readerSchema);
            readers.put(writer, reader);
            List<String> fields = ReaderSchema.dropped(writer, readerSchema);
            dropped += fields.size();
            if (!fields.isEmpty()) {
                LOG.warn(
                        "Records of {} have fields that the job's schema does not have, and which"
                                + " are dropped: {}",
                        writer.getFullName(),
                        fields);
            }
        }
        return reader;
    }

    /** The number of fields of all writers' schemas so far that the reader's schema has not. */
    int dropped() {
        return dropped;
    }

    @Override
    public Field field(FieldPath path) {
        return AvroField.of(readerSchema, path);
    }
}
