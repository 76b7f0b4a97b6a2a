// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputSpec;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.avro.LogicalType;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.generic.GenericRecord;
import org.apache.flink.annotation.Internal;

/**
 * Finds a value in decoded Avro records. Where the path leads was looked up in the schema once.
 *
 * <p>Enums are texts. Decimals are exact. Dates and times are numbers in the unit of their logical
 * type.
 */
@Internal
final class AvroField implements RecordReader.Field {

    /** The position of a step that is a key of a map. */
    private static final int KEY = -1;

    private final FieldPath path;
    private final int[] positions;
    private final Schema type;

    private AvroField(FieldPath path, int[] positions, Schema type) {
        this.path = path;
        this.positions = positions;
        this.type = type;
    }

    /**
     * @throws IllegalArgumentException if the schema has no such value, or if it is no single value
     *     and no array of them
     */
    static AvroField of(Schema schema, FieldPath path) {
        int[] positions = new int[path.names().size()];
        Schema type = schema;
        for (int i = 0; i < positions.length; i++) {
            String name = path.names().get(i);
            Schema outer = withoutNull(type);
            if (outer != null && outer.getType() == Schema.Type.MAP) {
                positions[i] = KEY;
                type = outer.getValueType();
            } else if (outer != null && outer.getType() == Schema.Type.RECORD) {
                Schema.Field field = outer.getField(name);
                if (field == null) {
                    throw new IllegalArgumentException(
                            "%s is not in the schema; %s has the fields %s"
                                    .formatted(path, outer.getFullName(), names(outer)));
                }
                positions[i] = field.pos();
                type = field.schema();
            } else {
                throw new IllegalArgumentException(
                        "%s is not in the schema: %s is %s, no record and no map"
                                .formatted(path, path.first(i), describe(type)));
            }
        }
        AvroField field = new AvroField(path, positions, withoutNull(type));
        field.requireValue(type);
        return field;
    }

    private void requireValue(Schema declared) {
        Schema element =
                type != null && type.getType() == Schema.Type.ARRAY
                        ? withoutNull(type.getElementType())
                        : type;
        if (element == null || !isSingle(element)) {
            throw new IllegalArgumentException(
                    "%s is %s; allowed: a number, a text, an enum, a boolean, a decimal, or an array of these, each also with null"
                            .formatted(path, describe(declared)));
        }
    }

    private static boolean isSingle(Schema type) {
        return switch (type.getType()) {
            case INT, LONG, FLOAT, DOUBLE, BOOLEAN, STRING, ENUM -> true;
            case BYTES, FIXED -> type.getLogicalType() instanceof LogicalTypes.Decimal;
            default -> false;
        };
    }

    @Override
    public void require(InputSpec input, boolean isAlone) {
        boolean isArray = type.getType() == Schema.Type.ARRAY;
        if (isArray && (input.width() == null || !isAlone)) {
            throw new IllegalArgumentException(
                    "%s is an array; the input %s takes a single value there"
                            .formatted(path, input.name()));
        }
        Schema element = isArray ? withoutNull(type.getElementType()) : type;
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
                                    path,
                                    describe(element),
                                    input.name(),
                                    input.column().describe()));
        }
    }

    @Override
    public void requireWhole() {
        if (type.getType() != Schema.Type.INT && type.getType() != Schema.Type.LONG) {
            throw new IllegalArgumentException(
                    "%s is %s; allowed: an int or a long".formatted(path, describe(type)));
        }
    }

    /** The logical type of the value, or null. */
    LogicalType logicalType() {
        return type.getLogicalType();
    }

    @Override
    public Object get(Object decoded) throws BadRecordException {
        Object value = decoded;
        for (int i = 0; i < positions.length && value != null; i++) {
            value =
                    positions[i] == KEY
                            ? entry((Map<?, ?>) value, path.names().get(i))
                            : ((GenericRecord) value).get(positions[i]);
        }
        if (value == null) {
            return null;
        }
        return type.getType() == Schema.Type.ARRAY
                ? elements((List<?>) value)
                : convert(value, type);
    }

    /** The keys are Avro's own texts or Java's. */
    private static Object entry(Map<?, ?> map, String key) {
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            if (key.contentEquals((CharSequence) entry.getKey())) {
                return entry.getValue();
            }
        }
        return null;
    }

    private List<Object> elements(List<?> values) throws BadRecordException {
        Schema element = withoutNull(type.getElementType());
        List<Object> elements = new ArrayList<>(values.size());
        for (Object value : values) {
            elements.add(value == null ? null : convert(value, element));
        }
        return elements;
    }

    private Object convert(Object value, Schema schema) throws BadRecordException {
        if (value instanceof Number || value instanceof Boolean) {
            return value;
        } else if (schema.getLogicalType() instanceof LogicalTypes.Decimal decimal) {
            return decimal(value, decimal.getScale());
        }
        return value.toString();
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
            throw new BadRecordException(Kind.INPUT, "%s is a decimal of 0 bytes".formatted(path));
        }
        return new BigDecimal(new BigInteger(bytes), scale);
    }

    /** The only type of a schema besides null; null if there are several, or none. */
    static Schema withoutNull(Schema schema) {
        if (!schema.isUnion()) {
            return schema.getType() == Schema.Type.NULL ? null : schema;
        }
        List<Schema> types =
                schema.getTypes().stream()
                        .filter(type -> type.getType() != Schema.Type.NULL)
                        .toList();
        return types.size() == 1 ? types.get(0) : null;
    }

    private static String names(Schema record) {
        return String.join(", ", record.getFields().stream().map(Schema.Field::name).toList());
    }

    private static String describe(Schema type) {
        return type.isUnion()
                ? "a union of "
                        + String.join(
                                ", ", type.getTypes().stream().map(Schema::getFullName).toList())
                : "of the type " + type.getFullName();
    }
}
