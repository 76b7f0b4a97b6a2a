// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.api.Token;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.TypedValuesBuilder;
import io.flinkmoe.kafka.decode.AbsentFieldException;
import io.flinkmoe.kafka.decode.BadRecordException;
import io.flinkmoe.kafka.decode.FieldPath;
import io.flinkmoe.kafka.decode.RecordReader;
import io.flinkmoe.kafka.record.RecordBinding.Feature;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;
import org.apache.kafka.clients.consumer.ConsumerRecord;

/** Makes tokens of decoded records, as a {@link RecordBinding} says. */
@Internal
final class TokenBinder {

    private final StreamName stream;
    private final TimeField timestamp;
    private final WholeField position;
    private final List<BoundInput> inputs;
    private final List<AbsentField> absent = new ArrayList<>();
    private final TypedValuesBuilder builder;

    /**
     * Binds the inputs of a model to fields.
     *
     * @param values the reader of the records' values
     * @param keys the reader of their keys
     * @throws IllegalArgumentException if they do not fit; the message lists all errors
     */
    TokenBinder(
            RecordBinding binding,
            InputLayout layout,
            RecordReader values,
            StreamName.KeyReader keys) {
        List<String> errors = new ArrayList<>();
        stream = find(() -> StreamName.of(binding.stream(), values, keys), errors);
        WholeField time = whole(values, binding.timestamp().orElse(null), errors);
        timestamp = time == null ? null : new TimeField(time, unit(binding, time, errors));
        position = whole(values, binding.position().orElse(null), errors);
        inputs = new ArrayList<>();
        for (InputSpec input : layout.inputs()) {
            Feature feature =
                    binding.features()
                            .getOrDefault(
                                    input.name(),
                                    new Feature(
                                            List.of(new FieldPath(List.of(input.name()))), null));
            bind(input, feature, values, errors);
        }
        Set<String> known =
                layout.inputs().stream().map(InputSpec::name).collect(Collectors.toSet());
        for (String name : binding.features().keySet()) {
            if (!known.contains(name)) {
                errors.add(
                        "%s is not an input of the model; its inputs are %s"
                                .formatted(name, layout.columns().describe()));
            }
        }
        if (!errors.isEmpty()) {
            throw new IllegalArgumentException(String.join("; ", errors));
        }
        builder = new TypedValuesBuilder(layout);
    }

    /** The fields that inputs are read from, and that the schema does not have. */
    List<AbsentField> absent() {
        return absent;
    }

    /**
     * An input, and where its values are.
     *
     * @param width the length of a vector; null if it is none
     * @param missing what stands for a missing value; null: the model decides
     * @param places for each field, what messages add about it
     */
    private record BoundInput(
            int column,
            Integer width,
            List<RecordReader.Field> fields,
            Object missing,
            List<String> places) {

        void set(TypedValuesBuilder builder, Object decoded) throws BadRecordException {
            boolean wasRefused = builder.isRefused();
            int field = setFields(builder, decoded);
            if (!wasRefused && builder.isRefused()) {
                builder.explain(places.get(field));
            }
        }

        /** Returns the field that has a problem, if one has. */
        private int setFields(TypedValuesBuilder builder, Object decoded)
                throws BadRecordException {
            Object first = get(0, decoded);
            if (width == null
                    || fields.size() == 1
                            && (first == null
                                    || first instanceof List<?>
                                    || first instanceof float[])) {
                builder.set(column, first);
                return 0;
            }
            if (!builder.requireLength(column, fields.size())) {
                return 0;
            }
            for (int element = 0; element < fields.size(); element++) {
                Object value = element == 0 ? first : get(element, decoded);
                if (value instanceof List<?> || value instanceof float[]) {
                    builder.refuse("a value of a vector of several fields is an array");
                } else {
                    builder.set(column, element, value);
                }
                if (builder.isRefused()) {
                    return element;
                }
            }
            return 0;
        }

        private Object get(int index, Object decoded) throws BadRecordException {
            Object value = fields.get(index).get(decoded);
            return value == null ? missing : value;
        }
    }

    /** A field with whole numbers. */
    private record WholeField(FieldPath path, RecordReader.Field field) {

        /** Returns null if it is missing. */
        Long get(Object decoded, Kind kind) throws BadRecordException {
            Object value;
            try {
                value = field.get(decoded);
            } catch (BadRecordException e) {
                throw e.as(kind, "");
            }
            if (value == null) {
                return null;
            }
            if (value instanceof Integer || value instanceof Long) {
                return ((Number) value).longValue();
            }
            try {
                if (value instanceof Number number) {
                    return new BigDecimal(number.toString()).longValueExact();
                }
            } catch (ArithmeticException | NumberFormatException e) {
                // The exception below covers this case, too.
            }
            throw new BadRecordException(
                    kind, "%s is %s; allowed: a whole number".formatted(path, value));
        }
    }

    private record TimeField(WholeField field, TimeUnit unit) {

        long millis(Object decoded) throws BadRecordException {
            Long time = field.get(decoded, Kind.TIMESTAMP);
            if (time == null) {
                throw new BadRecordException(Kind.TIMESTAMP, field.path() + " is missing");
            }
            try {
                return unit.toMillis(time);
            } catch (ArithmeticException e) {
                throw new BadRecordException(
                        Kind.TIMESTAMP,
                        "%s is %d %s, which is no time".formatted(field.path(), time, unit));
            }
        }
    }

    /** Returns what is found; null if there is an error, which is added to the others. */
    private static <T> T find(Supplier<T> finder, List<String> errors) {
        try {
            return finder.get();
        } catch (IllegalArgumentException e) {
            errors.add(e.getMessage());
            return null;
        }
    }

    private static WholeField whole(RecordReader reader, FieldPath path, List<String> errors) {
        RecordReader.Field field = path == null ? null : find(() -> reader.whole(path), errors);
        return field == null ? null : new WholeField(path, field);
    }

    private static TimeUnit unit(RecordBinding binding, WholeField time, List<String> errors) {
        TimeUnit declared = TimeUnit.of(time.field().logicalType());
        TimeUnit given = binding.unit().orElse(null);
        if (declared != null && given != null && declared != given) {
            errors.add(
                    "the unit of %s is %s, but its schema says %s; leave the unit out"
                            .formatted(time.path(), given, declared));
        }
        return given != null ? given : declared != null ? declared : TimeUnit.MILLIS;
    }

    private void bind(InputSpec input, Feature feature, RecordReader reader, List<String> errors) {
        int width = input.width() == null ? 1 : input.width();
        int fields = feature.paths().size();
        if (fields > 1 && fields != width) {
            errors.add(
                    "%s has %d fields; allowed: 1%s"
                            .formatted(input.name(), fields, width > 1 ? ", or " + width : ""));
        }
        Object missing = find(() -> missing(input, feature.missing()), errors);
        List<RecordReader.Field> readers = new ArrayList<>();
        for (FieldPath path : feature.paths()) {
            readers.add(find(() -> field(input, feature, path, reader), errors));
        }
        List<String> places = new ArrayList<>();
        for (FieldPath path : feature.paths()) {
            boolean isObvious = fields == 1 && path.toString().equals(input.name());
            places.add(isObvious ? "" : " (field %s)".formatted(path));
        }
        inputs.add(new BoundInput(inputs.size(), input.width(), readers, missing, places));
    }

    /** A field that the schema lacks is missing in each record, if it may be. */
    private RecordReader.Field field(
            InputSpec input, Feature feature, FieldPath path, RecordReader reader) {
        try {
            return reader.input(path, input, feature.paths().size() == 1);
        } catch (AbsentFieldException e) {
            if (input.isRequired() && feature.missing() == null) {
                throw e;
            }
            absent.add(new AbsentField(path.toString(), input.name()));
            return decoded -> null;
        }
    }

    /** Parses what stands for a missing value. */
    private static Object missing(InputSpec input, String text) {
        if (text == null) {
            return null;
        }
        if (input.width() != null) {
            throw new IllegalArgumentException(
                    "%s is a vector; what stands for missing values of it is said in the model"
                            .formatted(input.name()));
        }
        // Refuses what is no value of the type.
        new InputSpec(input.name(), input.type(), null, null, text);
        return switch (input.type()) {
            case STRING -> text;
            case BOOL -> Boolean.valueOf(text);
            case FLOAT, DOUBLE, INT32, INT64 ->
                    text.equals(InputSpec.NAN) ? (Object) Double.NaN : new BigDecimal(text);
        };
    }

    /** Makes a token of a decoded record. */
    Token token(Object decoded, ConsumerRecord<byte[], byte[]> record) throws BadRecordException {
        String name = stream.of(decoded, record);
        Long place = position == null ? null : position.get(decoded, Kind.INPUT);
        if (position != null && place == null) {
            throw new BadRecordException(Kind.INPUT, position.path() + " is missing");
        }
        long time = timestamp == null ? record.timestamp() : timestamp.millis(decoded);
        if (timestamp == null && time < 0) {
            throw new BadRecordException(Kind.TIMESTAMP, "the Kafka record has no timestamp");
        }
        builder.clear();
        for (BoundInput input : inputs) {
            input.set(builder, decoded);
        }
        return Token.of(name, place == null ? record.offset() : place, time, builder.build());
    }
}
