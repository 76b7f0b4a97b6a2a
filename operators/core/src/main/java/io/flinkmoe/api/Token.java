// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.column.TypedValues;
import io.flinkmoe.serialization.RecordSerializer;
import io.flinkmoe.serialization.RecordTypeInfo;
import io.flinkmoe.serialization.TypedValuesWire;
import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeinfo.TypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInfoFactory;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * One token of a stream: a language model's hidden state, or the features of an event.
 *
 * @param stream the stream that the token belongs to, such as a sequence, an account or an airport;
 *     its tokens stay in order; up to {@link TokenCheck#MAX_STREAM_LENGTH} characters
 * @param position the token's position in its stream
 * @param timestamp event time, milliseconds since the epoch
 * @param values [input size], the vector, if the model takes one; else null
 * @param inputs the values of the model's input columns, if they are anything but a vector of
 *     floats; else null
 * @param payload bytes that the scored token has, too, such as fields of the record that the answer
 *     repeats; no model reads them; up to {@link TokenCheck#MAX_PAYLOAD_BYTES}; null if there are
 *     none
 */
@PublicEvolving
@TypeInfo(Token.Factory.class)
public record Token(
        String stream,
        long position,
        long timestamp,
        float[] values,
        TypedValues inputs,
        byte[] payload) {

    /** The type information of this record. */
    public static final TypeInformation<Token> TYPE =
            new RecordTypeInfo<>(Token.class, new Serializer());

    /** Creates a token for a model that takes a vector. */
    public Token(String stream, long position, long timestamp, float[] values) {
        this(stream, position, timestamp, values, null, null);
    }

    /** Creates a token without a payload. */
    public Token(String stream, long position, long timestamp, float[] values, TypedValues inputs) {
        this(stream, position, timestamp, values, inputs, null);
    }

    /**
     * Returns a token with the values of the model's input columns.
     *
     * @param inputs values that were built with the inputs of the model
     */
    public static Token of(String stream, long position, long timestamp, TypedValues inputs) {
        boolean isVector = inputs.layout().isVector() && inputs.problem() == null;
        return isVector
                ? new Token(stream, position, timestamp, inputs.floats())
                : new Token(stream, position, timestamp, null, inputs, null);
    }

    /** Returns the token with another payload. */
    public Token withPayload(byte[] bytes) {
        return new Token(stream, position, timestamp, values, inputs, bytes);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Token that
                && Objects.equals(stream, that.stream)
                && position == that.position
                && timestamp == that.timestamp
                && Arrays.equals(values, that.values)
                && Objects.equals(inputs, that.inputs)
                && Arrays.equals(payload, that.payload);
    }

    @Override
    public int hashCode() {
        return Objects.hash(
                stream,
                position,
                timestamp,
                Arrays.hashCode(values),
                inputs,
                Arrays.hashCode(payload));
    }

    @Override
    public String toString() {
        return "Token[stream=%s, position=%s, timestamp=%s, %s%s]"
                .formatted(
                        stream,
                        position,
                        timestamp,
                        inputs == null ? "values=" + Arrays.toString(values) : "inputs=" + inputs,
                        payload == null ? "" : ", payload of %d bytes".formatted(payload.length));
    }

    /** Provides {@link #TYPE} to Flink's type extraction. */
    @Internal
    public static final class Factory extends TypeInfoFactory<Token> {
        @Override
        public TypeInformation<Token> createTypeInfo(
                Type type, Map<String, TypeInformation<?>> genericParameters) {
            return TYPE;
        }
    }

    /** The serializer of this record. */
    @Internal
    public static final class Serializer extends RecordSerializer<Token> {
        private static final long serialVersionUID = 1L;

        /** Copies the values, because user functions may modify them. */
        @Override
        public Token copy(Token from) {
            float[] values = from.values == null ? null : from.values.clone();
            byte[] payload = from.payload == null ? null : from.payload.clone();
            return new Token(
                    from.stream, from.position, from.timestamp, values, from.inputs, payload);
        }

        @Override
        public void serialize(Token record, DataOutputView out) throws IOException {
            Wire.writeString(record.stream, out);
            out.writeLong(record.position);
            out.writeLong(record.timestamp);
            out.writeBoolean(record.values != null);
            if (record.values != null) {
                Wire.writeFloats(record.values, out);
            }
            TypedValuesWire.write(record.inputs, out);
            Wire.writeBytes(record.payload, out);
        }

        @Override
        public Token deserialize(DataInputView in) throws IOException {
            return new Token(
                    Wire.readString(in),
                    in.readLong(),
                    in.readLong(),
                    in.readBoolean() ? Wire.readFloats(in) : null,
                    TypedValuesWire.read(in),
                    Wire.readBytes(in));
        }

        @Override
        public TypeSerializerSnapshot<Token> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    @Internal
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Token> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
