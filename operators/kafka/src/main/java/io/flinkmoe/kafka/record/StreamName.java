// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.api.TokenCheck;
import io.flinkmoe.kafka.decode.BadRecordException;
import io.flinkmoe.kafka.decode.RecordReader;
import io.flinkmoe.kafka.decode.Unicode;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;

/** Finds the streams of records. */
@Internal
interface StreamName {

    /** What names of fields of a key begin with, in messages. */
    String KEY = "key.";

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
            return (decoded, record) -> name(field.path(), get(value, decoded, ""));
        } else if (stream instanceof RecordBinding.Stream.OfKeyField field) {
            RecordReader reader = keys.reader();
            RecordReader.Field value = reader.name(field.path());
            return (decoded, record) -> {
                byte[] key = record.key();
                if (key == null || key.length == 0) {
                    throw missing("the key of the record");
                }
                return name(KEY + field.path(), get(value, reader.decode(key), KEY));
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
    private static Object get(RecordReader.Field field, Object decoded, String prefix)
            throws BadRecordException {
        try {
            return field.get(decoded);
        } catch (BadRecordException e) {
            throw e.as(Kind.STREAM, prefix);
        }
    }

    /** Invalid bytes are refused, and not replaced: two streams would become one. */
    private static String text(String what, byte[] bytes) throws BadRecordException {
        if (bytes == null) {
            throw missing(what);
        }
        int fault = Unicode.firstFault(bytes);
        if (fault != Unicode.VALID) {
            throw new BadRecordException(
                    Kind.STREAM,
                    "%s is no UTF-8, at byte %d, so there is no stream".formatted(what, fault));
        }
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** A stream is a text or a whole number, which is named by its value: 7.0 is 7. */
    private static String name(Object what, Object value) throws BadRecordException {
        if (value == null) {
            throw missing(what);
        }
        Object name = value instanceof BigDecimal decimal ? whole(decimal) : value;
        boolean isName =
                name instanceof String
                        || name instanceof Integer
                        || name instanceof Long
                        || name instanceof BigInteger;
        if (!isName) {
            throw new BadRecordException(
                    Kind.STREAM,
                    "%s is %s, so there is no stream; allowed: a text or a whole number"
                            .formatted(what, value));
        }
        return name.toString();
    }

    /** Returns an integer, or the decimal if it is none, or one that is too long for a name. */
    private static Number whole(BigDecimal decimal) {
        long length = (long) decimal.precision() - decimal.scale();
        if (decimal.signum() != 0 && length > TokenCheck.MAX_STREAM_LENGTH) {
            return decimal;
        }
        BigDecimal shortest = decimal.stripTrailingZeros();
        return shortest.scale() <= 0 ? shortest.toBigIntegerExact() : decimal;
    }

    private static BadRecordException missing(Object what) {
        return new BadRecordException(Kind.STREAM, what + " is missing, so there is no stream");
    }
}
