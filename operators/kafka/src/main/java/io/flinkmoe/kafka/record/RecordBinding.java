// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.kafka.decode.FieldPath;
import java.io.Serializable;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * Which parts of a record are the stream, the timestamp, the position and the inputs of the model.
 * Without further calls, each input is the field of its name, the timestamp is that of the Kafka
 * record, and the position is its offset. It is immutable: each method returns another binding.
 */
@PublicEvolving
public final class RecordBinding implements Serializable {

    private static final long serialVersionUID = 1L;

    private static final String KEY = "key";
    private static final String KEY_FIELD = "key.";
    private static final String HEADER = "header.";

    private final Stream stream;
    private final Map<String, Feature> features = new LinkedHashMap<>();
    private FieldPath timestamp;
    private TimeUnit unit;
    private FieldPath position;

    private RecordBinding(Stream stream) {
        this.stream = stream;
    }

    private RecordBinding(RecordBinding other) {
        stream = other.stream;
        features.putAll(other.features);
        timestamp = other.timestamp;
        unit = other.unit;
        position = other.position;
    }

    /** Where the stream of a record is. */
    sealed interface Stream extends Serializable {

        /** In a field of its value. */
        record OfField(FieldPath path) implements Stream {}

        /** Its key, as text. */
        record OfKey() implements Stream {}

        /** In a field of its key. */
        record OfKeyField(FieldPath path) implements Stream {}

        /** In a header. */
        record OfHeader(String name) implements Stream {}
    }

    /**
     * The fields of an input.
     *
     * @param paths one for an input that is no vector; for a vector, one that leads to an array, or
     *     one for each value
     * @param missing what stands for a missing value, or null
     */
    record Feature(List<FieldPath> paths, String missing) implements Serializable {}

    /**
     * Creates a binding.
     *
     * @param stream where the stream is: the path of a field, {@code key} for the text of the
     *     record's key, {@code key.} and the path of a field of the key, or {@code header.NAME} for
     *     the text of a header
     * @throws IllegalArgumentException if it is none of these
     */
    public static RecordBinding ofStream(String stream) {
        return new RecordBinding(stream(stream.strip()));
    }

    private static Stream stream(String text) {
        if (text.equals(KEY)) {
            return new Stream.OfKey();
        } else if (text.startsWith(KEY_FIELD)) {
            return new Stream.OfKeyField(FieldPath.of(text.substring(KEY_FIELD.length())));
        } else if (text.equals(HEADER)) {
            throw new IllegalArgumentException(
                    "the stream is '%s', which names no header; allowed: such as header.tenant"
                            .formatted(text));
        }
        return text.startsWith(HEADER)
                ? new Stream.OfHeader(text.substring(HEADER.length()))
                : new Stream.OfField(FieldPath.of(text));
    }

    /** Takes the timestamp from a field, in the unit of its logical type, or in milliseconds. */
    public RecordBinding timestamp(String field) {
        return timestamp(field, null);
    }

    /** Takes the timestamp from a field. */
    public RecordBinding timestamp(String field, TimeUnit in) {
        RecordBinding changed = new RecordBinding(this);
        changed.timestamp = FieldPath.of(field);
        changed.unit = in;
        return changed;
    }

    /** Takes the position from a field. */
    public RecordBinding position(String field) {
        RecordBinding changed = new RecordBinding(this);
        changed.position = FieldPath.of(field);
        return changed;
    }

    /**
     * Takes an input from a field, or a vector from several ones.
     *
     * @param input the name of the input
     */
    public RecordBinding feature(String input, String... fields) {
        return put(input, null, fields);
    }

    /**
     * Takes an input from a field.
     *
     * @param input the name of the input
     * @param missing what stands for a missing value, instead of what the model says
     */
    public RecordBinding featureOr(String input, String missing, String field) {
        return put(input, missing, field);
    }

    private RecordBinding put(String input, String missing, String... fields) {
        if (fields.length == 0) {
            throw new IllegalArgumentException(
                    "%s has no fields; allowed: one or more".formatted(input));
        }
        List<FieldPath> paths = Arrays.stream(fields).map(FieldPath::of).toList();
        RecordBinding changed = new RecordBinding(this);
        changed.features.put(input, new Feature(List.copyOf(paths), missing));
        return changed;
    }

    Stream stream() {
        return stream;
    }

    Optional<FieldPath> timestamp() {
        return Optional.ofNullable(timestamp);
    }

    Optional<TimeUnit> unit() {
        return Optional.ofNullable(unit);
    }

    Optional<FieldPath> position() {
        return Optional.ofNullable(position);
    }

    /** The inputs that are bound to other fields than those of their names. */
    Map<String, Feature> features() {
        return features;
    }
}
