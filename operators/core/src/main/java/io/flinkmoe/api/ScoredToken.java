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
 * The output of the model for one token.
 *
 * @param stream the token's stream
 * @param position the token's position in its stream
 * @param timestamp the token's event time, milliseconds since the epoch
 * @param values the output of the head, or of the last layer if the model has no head; with several
 *     outputs, those of type float, one after another; null if there is none, because some layer
 *     without a residual executed no choice of the token
 * @param outputs the outputs by name; null if there is none, or if the model answers with one
 *     vector, which is {@code values}
 * @param modelVersion the version of the bundle that scored the token
 * @param layers the token's choices, one entry per MoE layer
 * @param partition the partition that the token was read from; {@link Arrival#NO_PARTITION} if it
 *     is unknown
 * @param payload the payload of the token; null if it has none
 */
@PublicEvolving
@TypeInfo(ScoredToken.Factory.class)
public record ScoredToken(
        String stream,
        long position,
        long timestamp,
        float[] values,
        TypedValues outputs,
        String modelVersion,
        Decision[] layers,
        int partition,
        byte[] payload) {

    /** The type information of this record. */
    public static final TypeInformation<ScoredToken> TYPE =
            new RecordTypeInfo<>(ScoredToken.class, new Serializer());

    private static final Decision.Serializer DECISIONS = new Decision.Serializer();

    /** The answer of a model that answers with a vector, for a token from no partition. */
    public ScoredToken(
            String stream,
            long position,
            long timestamp,
            float[] values,
            String modelVersion,
            Decision[] layers) {
        this(
                stream,
                position,
                timestamp,
                values,
                null,
                modelVersion,
                layers,
                Arrival.NO_PARTITION,
                null);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ScoredToken that
                && Objects.equals(stream, that.stream)
                && position == that.position
                && timestamp == that.timestamp
                && Arrays.equals(values, that.values)
                && Objects.equals(outputs, that.outputs)
                && Objects.equals(modelVersion, that.modelVersion)
                && Arrays.equals(layers, that.layers)
                && partition == that.partition
                && Arrays.equals(payload, that.payload);
    }

    @Override
    public int hashCode() {
        return Objects.hash(
                stream,
                position,
                timestamp,
                Arrays.hashCode(values),
                outputs,
                modelVersion,
                Arrays.hashCode(layers),
                partition,
                Arrays.hashCode(payload));
    }

    @Override
    public String toString() {
        return "ScoredToken[stream=%s, position=%s, timestamp=%s, values=%s, outputs=%s, modelVersion=%s, layers=%s, partition=%s, payload=%s]"
                .formatted(
                        stream,
                        position,
                        timestamp,
                        Arrays.toString(values),
                        outputs,
                        modelVersion,
                        Arrays.toString(layers),
                        partition,
                        payload == null ? null : payload.length + " bytes");
    }

    /** Provides {@link #TYPE} to Flink's type extraction. */
    @Internal
    public static final class Factory extends TypeInfoFactory<ScoredToken> {
        @Override
        public TypeInformation<ScoredToken> createTypeInfo(
                Type type, Map<String, TypeInformation<?>> genericParameters) {
            return TYPE;
        }
    }

    /** The serializer of this record. */
    @Internal
    public static final class Serializer extends RecordSerializer<ScoredToken> {
        private static final long serialVersionUID = 1L;

        /** Copies the arrays, because user functions may modify them. */
        @Override
        public ScoredToken copy(ScoredToken from) {
            Decision[] layers = new Decision[from.layers.length];
            for (int layer = 0; layer < layers.length; layer++) {
                layers[layer] = DECISIONS.copy(from.layers[layer]);
            }
            return new ScoredToken(
                    from.stream,
                    from.position,
                    from.timestamp,
                    from.values == null ? null : from.values.clone(),
                    from.outputs,
                    from.modelVersion,
                    layers,
                    from.partition,
                    from.payload == null ? null : from.payload.clone());
        }

        @Override
        public void serialize(ScoredToken record, DataOutputView out) throws IOException {
            Wire.writeString(record.stream, out);
            out.writeLong(record.position);
            out.writeLong(record.timestamp);
            out.writeBoolean(record.values != null);
            if (record.values != null) {
                Wire.writeFloats(record.values, out);
            }
            TypedValuesWire.write(record.outputs, out);
            Wire.writeString(record.modelVersion, out);
            out.writeInt(record.layers.length);
            for (Decision decision : record.layers) {
                DECISIONS.serialize(decision, out);
            }
            out.writeInt(record.partition);
            Wire.writeBytes(record.payload, out);
        }

        @Override
        public ScoredToken deserialize(DataInputView in) throws IOException {
            String stream = Wire.readString(in);
            long position = in.readLong();
            long timestamp = in.readLong();
            float[] values = in.readBoolean() ? Wire.readFloats(in) : null;
            TypedValues outputs = TypedValuesWire.read(in);
            String modelVersion = Wire.readString(in);
            Decision[] layers = new Decision[in.readInt()];
            for (int layer = 0; layer < layers.length; layer++) {
                layers[layer] = DECISIONS.deserialize(in);
            }
            return new ScoredToken(
                    stream,
                    position,
                    timestamp,
                    values,
                    outputs,
                    modelVersion,
                    layers,
                    in.readInt(),
                    Wire.readBytes(in));
        }

        @Override
        public TypeSerializerSnapshot<ScoredToken> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    @Internal
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<ScoredToken> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
