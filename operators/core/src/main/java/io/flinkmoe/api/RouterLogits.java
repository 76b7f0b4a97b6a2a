// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.serialization.RecordSerializer;
import io.flinkmoe.serialization.RecordTypeInfo;
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
import org.apache.flink.util.OutputTag;

/**
 * The router logits of one token at one gate of a layer.
 *
 * @param layer the MoE layer, counted from 0
 * @param gate the gate, counted from 0
 * @param stream the token's stream
 * @param position the token's position in its stream
 * @param logits [n], the raw output of the router, one value per expert of the gate
 */
@PublicEvolving
@TypeInfo(RouterLogits.Factory.class)
public record RouterLogits(int layer, int gate, String stream, long position, float[] logits) {

    /** The type information of this record. */
    public static final TypeInformation<RouterLogits> TYPE =
            new RecordTypeInfo<>(RouterLogits.class, new Serializer());

    /** The side output for the logits of a router. */
    public static final OutputTag<RouterLogits> OUTPUT = new OutputTag<>("router-logits", TYPE);

    @Override
    public boolean equals(Object other) {
        return other instanceof RouterLogits that
                && layer == that.layer
                && gate == that.gate
                && Objects.equals(stream, that.stream)
                && position == that.position
                && Arrays.equals(logits, that.logits);
    }

    @Override
    public int hashCode() {
        return Objects.hash(layer, gate, stream, position, Arrays.hashCode(logits));
    }

    @Override
    public String toString() {
        return "RouterLogits[layer=%s, gate=%s, stream=%s, position=%s, logits=%s]"
                .formatted(layer, gate, stream, position, Arrays.toString(logits));
    }

    /** Provides {@link #TYPE} to Flink's type extraction. */
    @Internal
    public static final class Factory extends TypeInfoFactory<RouterLogits> {
        @Override
        public TypeInformation<RouterLogits> createTypeInfo(
                Type type, Map<String, TypeInformation<?>> genericParameters) {
            return TYPE;
        }
    }

    /** The serializer of this record. */
    @Internal
    public static final class Serializer extends RecordSerializer<RouterLogits> {
        private static final long serialVersionUID = 1L;

        /** Copies the logits, because user functions may modify them. */
        @Override
        public RouterLogits copy(RouterLogits from) {
            return new RouterLogits(
                    from.layer, from.gate, from.stream, from.position, from.logits.clone());
        }

        @Override
        public void serialize(RouterLogits record, DataOutputView out) throws IOException {
            out.writeInt(record.layer);
            out.writeInt(record.gate);
            Wire.writeString(record.stream, out);
            out.writeLong(record.position);
            Wire.writeFloats(record.logits, out);
        }

        @Override
        public RouterLogits deserialize(DataInputView in) throws IOException {
            return new RouterLogits(
                    in.readInt(),
                    in.readInt(),
                    Wire.readString(in),
                    in.readLong(),
                    Wire.readFloats(in));
        }

        @Override
        public TypeSerializerSnapshot<RouterLogits> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    @Internal
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<RouterLogits> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
