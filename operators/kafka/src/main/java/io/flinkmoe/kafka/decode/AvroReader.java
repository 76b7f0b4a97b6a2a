// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.column.InputSpec;
import java.io.EOFException;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
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
public final class AvroReader implements RecordReader {

    private static final Logger LOG = LoggerFactory.getLogger(AvroReader.class);

    private final Part part;

    /** The schema as it was given. */
    private final Schema given;

    /** What the records are decoded with. */
    private final Schema readerSchema;

    private final WriterOf writers;
    private final Map<Schema, ResolvingReader> readers = new HashMap<>();
    private BinaryDecoder decoder;
    private GenericRecord reused;
    private ResolvingReader last;

    /** Other threads look at it. */
    private volatile Set<String> dropped = Set.of();

    /**
     * Reads the records of one writer's schema.
     *
     * @param isSame whether they are encoded as the reader's schema says
     * @param dropped the paths of the fields that the reader's schema does not have
     */
    private record ResolvingReader(
            GenericDatumReader<GenericRecord> reader, boolean isSame, List<String> dropped) {}

    /** The writer's schema of a message, and where its record begins. */
    public interface WriterOf {

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
     * @param schema the schema of the decoded records, a record
     */
    public AvroReader(Part part, Schema schema, WriterOf writers) {
        this.part = part;
        this.given = schema;
        this.readerSchema = ReaderSchema.of(schema);
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
            last = reader(writer);
            reused = last.reader.read(reused, decoder);
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
                "the %s is no record of the schema %s: %s"
                        .formatted(part, writer.getFullName(), reason));
    }

    /** Schemas come from one cache per process, so the same one is found by identity first. */
    private ResolvingReader reader(Schema writer) {
        ResolvingReader reader = readers.get(writer);
        if (reader == null) {
            reader =
                    new ResolvingReader(
                            new GenericDatumReader<>(writer, readerSchema),
                            writer.equals(given),
                            ReaderSchema.dropped(writer, readerSchema));
            readers.put(writer, reader);
            if (!reader.dropped.isEmpty()) {
                Set<String> all = new TreeSet<>(dropped);
                reader.dropped.forEach(field -> all.add(prefix() + field));
                dropped = all;
                LOG.warn(
                        "Records of {} have fields that the job's schema does not have, and which"
                                + " are dropped: {}",
                        writer.getFullName(),
                        reader.dropped);
            }
        }
        return reader;
    }

    private String prefix() {
        return part == Part.KEY ? "key." : "";
    }

    @Override
    public Set<String> dropped() {
        return dropped;
    }

    /** Whether the last record is encoded as the schema of the decoded records says. */
    boolean isWrittenAsRead() {
        return last.isSame;
    }

    /** The bytes before a record. */
    int headerBytes() {
        return writers.headerBytes();
    }

    @Override
    public Field input(FieldPath path, InputSpec input, boolean isAlone) {
        return AvroField.of(readerSchema, path).require(input, isAlone);
    }

    @Override
    public Field whole(FieldPath path) {
        return AvroField.of(readerSchema, path).requireWhole();
    }

    @Override
    public Field name(FieldPath path) {
        return AvroField.of(readerSchema, path).requireName();
    }

    @Override
    public Keeper keeper(KeptFields fields) {
        return new AvroKeeper(this, AvroKept.of(fields, given));
    }
}
