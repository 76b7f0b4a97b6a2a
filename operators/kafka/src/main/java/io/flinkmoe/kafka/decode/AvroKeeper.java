// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import io.flinkmoe.api.Rejection.Kind;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.List;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.flink.annotation.Internal;

/** Encodes the kept fields of Avro records, one after another, as a record has them. */
@Internal
final class AvroKeeper implements RecordReader.Keeper {

    private final AvroReader reader;
    private final AvroKept kept;
    private final long form;
    private final List<GenericDatumWriter<Object>> writers;
    private BinaryEncoder encoder;

    /**
     * @param reader the reader that decodes the records
     */
    AvroKeeper(AvroReader reader, AvroKept kept) {
        this.reader = reader;
        this.kept = kept;
        this.form = kept.form();
        this.writers =
                kept.fields().stream()
                        .map(field -> new GenericDatumWriter<Object>(field.type()))
                        .toList();
    }

    @Override
    public long form() {
        return form;
    }

    @Override
    public byte[] kept(Object decoded, byte[] message) throws BadRecordException {
        if (kept.areAll() && reader.isWrittenAsRead()) {
            return Arrays.copyOfRange(message, reader.headerBytes(), message.length);
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        encoder = EncoderFactory.get().directBinaryEncoder(out, encoder);
        int i = 0;
        try {
            for (AvroKept.KeptField field : kept.fields()) {
                writers.get(i++).write(field.path().get(decoded), encoder);
            }
        } catch (AvroRuntimeException e) {
            throw new BadRecordException(
                    Kind.MALFORMED,
                    "the field %s cannot be kept: %s"
                            .formatted(kept.fields().get(i - 1).path().path(), e.getMessage()));
        } catch (IOException e) {
            throw new UncheckedIOException(e); // Not into memory.
        }
        return out.toByteArray();
    }
}
