// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.kafka.decode.BadRecordException;
import io.flinkmoe.kafka.decode.RecordReader;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/** Finds the streams of records. */
@Internal
interface StreamName {

    /**
     * Returns the stream of a record.
     *
     * @param decoded its decoded value
     */
    String of(Object decoded, ConsumerRecord<byte[], byte[]> record) throws BadRecordException;

    /**
     * @param values the reader of the records' values
     * @param keys how the keys are encoded
     * @throws IllegalArgumentException if the records cannot have the stream
     */
    static StreamName of(RecordBinding.Stream stream, RecordReader values, KeyReader keys) {
        if (stream instanceof RecordBinding.Stream.OfField field) {
            RecordReader.Field value = values.name(field.path());
            return (decoded, record) -> name(field.path(), value.get(decoded));
        } else if (stream instanceof RecordBinding.Stream.OfKeyField field) {
            RecordReader reader = keys.reader();
            RecordReader.Field value = reader.name(field.path());
            return (decoded, record) -> {
                byte[] key = record.key();
                if (key == null || key.length == 0) {
                    throw missing("the key of the record");
                }
                return name("key." + field.path(), ofKey(value, reader.decode(key)));
            };
        } else if (stream instanceof RecordBinding.Stream.OfHeader header) {
            return (decoded, record) -> {
                Header last = record.headers().lastHeader(header.name());
                return text("the header " + header.name(), last == null ? null : last.value());
            };
        }
        return (decoded, record) -> text("the key of the record", record.key());
    }

    /** How the keys of records are read, if a field of them is wanted. */
    interface KeyReader {

        /**
         * @throws IllegalArgumentException if keys have no fields
         */
        RecordReader reader();
    }

    /** Messages about values begin with their paths. */
    private static Object ofKey(RecordReader.Field field, Object decoded)
            throws BadRecordException {
        try {
            return field.get(decoded);
        } catch (BadRecordException e) {
            throw new BadRecordException(Kind.STREAM, "key." + e.getMessage());
        }
    }

    private static String text(String what, byte[] bytes) throws BadRecordException {
        if (bytes == null) {
            throw missing(what);
        }
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** A stream is a text or a whole number. */
    private static String name(Object what, Object value) throws BadRecordException {
        if (value == null) {
            throw missing(what);
        }
        boolean isName =
                value instanceof String
                        || value instanceof Integer
                        || value instanceof Long
                        || value instanceof BigInteger;
        if (!isName) {
            throw new BadRecordException(
                    Kind.STREAM,
                    "%s is %s, so there is no stream; allowed: a text or a whole number"
                            .formatted(what, value));
        }
        return value.toString();
    }

    private static BadRecordException missing(Object what) {
        return new BadRecordException(Kind.STREAM, what + " is missing, so there is no stream");
    }
}
