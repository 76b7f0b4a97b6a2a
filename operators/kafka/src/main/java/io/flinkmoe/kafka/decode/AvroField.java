// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputSpec;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.avro.LogicalType;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.util.Utf8;
import org.apache.flink.annotation.Internal;

/**
 * Finds a value in decoded Avro records.
 *
 * <p>Enums are texts. Decimals are exact. Dates and times are numbers in the unit of their logical
 * type.
 */
@Internal
final class AvroField implements RecordReader.Field {

    private static final char REPLACEMENT = '\ufffd';

    private final AvroPath path;

    /** The type besides null. */
    private final Schema type;

    /** Whether decoded values are numbers or booleans already, in an array all of them. */
    private final boolean isPlain;

    private AvroField(AvroPath path, Schema type) {
        this.path = path;
        this.type = type;
        Schema element = element(type);
        isPlain =
                switch (element.getType()) {
                    case INT, LONG, FLOAT, DOUBLE, BOOLEAN -> true;
                    default -> false;
                };
    }

    /**
     * @throws IllegalArgumentException if the schema has no such value, or if it is no single value
     *     and no array of them
     */
    static AvroField of(Schema schema, FieldPath path) {
        AvroPath found = AvroPath.of(schema, path);
        Schema type = AvroPath.withoutNull(found.type());
        Schema element = type == null ? null : element(type);
        if (element == null || !isSingle(element)) {
            throw new IllegalArgumentException(
                    "%s is %s; allowed: a number, a text, an enum, a boolean, a decimal, or an array of these, each also with null"
                            .formatted(path, AvroPath.describe(found.type())));
        }
        return new AvroField(found, type);
    }

    /** The type of the elements of an array besides null; of another type, itself. */
    private static Schema element(Schema type) {
        return type.getType() == Schema.Type.ARRAY
                ? AvroPath.withoutNull(type.getElementType())
                : type;
    }

    private static boolean isSingle(Schema type) {
        return switch (type.getType()) {
            case INT, LONG, FLOAT, DOUBLE, BOOLEAN, STRING, ENUM -> true;
            case BYTES, FIXED -> type.getLogicalType() instanceof LogicalTypes.Decimal;
            default -> false;
        };
    }

    /**
     * Requires that there are values for an input.
     *
     * @param isAlone whether the input has no other fields
     * @throws IllegalArgumentException if there are others; the message says which
     */
    AvroField require(InputSpec input, boolean isAlone) {
        boolean isArray = type.getType() == Schema.Type.ARRAY;
        if (isArray && (input.width() == null || !isAlone)) {
            throw new IllegalArgumentException(
                    "%s is an array; the input %s takes a single value there"
                            .formatted(path.path(), input.name()));
        }
        Schema element = element(type);
        boolean fits =
                switch (element.getType()) {
                    case BOOLEAN -> input.type() == ColumnType.BOOL;
                    case STRING, ENUM -> input.type() == ColumnType.STRING;
                    default -> input.type() != ColumnType.BOOL && input.type() != ColumnType.STRING;
                };
        if (!fits) {
            throw new IllegalArgumentException(
                    "%s is %s; the input %s takes %s"
                            .formatted(
                                    path.path(),
                                    AvroPath.describe(element),
                                    input.name(),
                                    input.column().describe()));
        }
        return this;
    }

    /**
     * Requires that there is a whole number.
     *
     * @throws IllegalArgumentException if there is another type
     */
    AvroField requireWhole() {
        if (type.getType() != Schema.Type.INT && type.getType() != Schema.Type.LONG) {
            throw new IllegalArgumentException(
                    "%s is %s; allowed: an int or a long"
                            .formatted(path.path(), AvroPath.describe(type)));
        }
        return this;
    }

    /** Requires a text or a whole number, which can be the name of a stream. */
    AvroField requireName() {
        return switch (type.getType()) {
            case STRING, ENUM, INT, LONG -> this;
            default ->
                    throw new IllegalArgumentException(
                            "%s is %s; allowed as a stream: a string, an enum, an int or a long"
                                    .formatted(path.path(), AvroPath.describe(type)));
        };
    }

    @Override
    public LogicalType logicalType() {
        return type.getLogicalType();
    }

    @Override
    public Object get(Object decoded) throws BadRecordException {
        Object value = path.get(decoded);
        if (value == null || isPlain) {
            return value;
        }
        return type.getType() == Schema.Type.ARRAY
                ? elements((List<?>) value)
                : convert(value, type);
    }

    private List<Object> elements(List<?> values) throws BadRecordException {
        Schema element = element(type);
        List<Object> elements = new ArrayList<>(values.size());
        for (Object value : values) {
            elements.add(value == null ? null : convert(value, element));
        }
        return elements;
    }

    private Object convert(Object value, Schema schema) throws BadRecordException {
        return schema.getLogicalType() instanceof LogicalTypes.Decimal decimal
                ? decimal(value, decimal.getScale())
                : text(value);
    }

    /** Bytes that are no UTF-8 become U+FFFD, which is a valid character, too. */
    private String text(Object value) throws BadRecordException {
        String text = value.toString();
        boolean isValid =
                text.indexOf(REPLACEMENT) < 0
                        || !(value instanceof Utf8 utf8)
                        || Unicode.firstFault(Arrays.copyOf(utf8.getBytes(), utf8.getByteLength()))
                                == Unicode.VALID;
        if (!isValid) {
            throw new BadRecordException(Kind.INPUT, "%s is no UTF-8".formatted(path.path()));
        }
        return text;
    }

    private BigDecimal decimal(Object value, int scale) throws BadRecordException {
        byte[] bytes;
        if (value instanceof GenericFixed fixed) {
            bytes = fixed.bytes();
        } else {
            ByteBuffer buffer = ((ByteBuffer) value).duplicate();
            bytes = new byte[buffer.remaining()];
            buffer.get(bytes);
        }
        if (bytes.length == 0) {
            throw new BadRecordException(
                    Kind.INPUT, "%s is a decimal of 0 bytes".formatted(path.path()));
        }
        return new BigDecimal(new BigInteger(bytes), scale);
    }
}
