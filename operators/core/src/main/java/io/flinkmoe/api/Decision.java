// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.capacity.Outcome;
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

/**
 * The k choices of one token in one MoE layer, in order of rank: the most probable expert first.
 * With several gates, they are the experts that some gate chose, each once; k then differs from
 * token to token.
 *
 * @param experts [k], the expert that determined the outcome of each choice, counted from 0; if the
 *     choice overflowed, the first expert that it tried; -1 if the token could not be routed
 * @param weights [G, k], for each gate, the factors of the experts' outputs in its sum; 0 for an
 *     expert that the gate did not choose
 * @param outcomes [k], the outcome of each choice
 */
@PublicEvolving
@TypeInfo(Decision.Factory.class)
public record Decision(int[] experts, float[] weights, Outcome[] outcomes) {

    /** The type information, with its own serializer. */
    public static final TypeInformation<Decision> TYPE =
            new RecordTypeInfo<>(Decision.class, new Serializer());

    @Override
    public boolean equals(Object other) {
        return other instanceof Decision that
                && Arrays.equals(experts, that.experts)
                && Arrays.equals(weights, that.weights)
                && Arrays.equals(outcomes, that.outcomes);
    }

    @Override
    public int hashCode() {
        return Objects.hash(
                Arrays.hashCode(experts), Arrays.hashCode(weights), Arrays.hashCode(outcomes));
    }

    @Override
    public String toString() {
        return "Decision[experts=%s, weights=%s, outcomes=%s]"
                .formatted(
                        Arrays.toString(experts),
                        Arrays.toString(weights),
                        Arrays.toString(outcomes));
    }

    /** Provides {@link #TYPE} to Flink's type extraction. */
    @Internal
    public static final class Factory extends TypeInfoFactory<Decision> {
        @Override
        public TypeInformation<Decision> createTypeInfo(
                Type type, Map<String, TypeInformation<?>> genericParameters) {
            return TYPE;
        }
    }

    /** The serialized form. */
    @Internal
    public static final class Serializer extends RecordSerializer<Decision> {
        private static final long serialVersionUID = 1L;

        /** Copies the arrays, because user functions may modify them. */
        @Override
        public Decision copy(Decision from) {
            return new Decision(from.experts.clone(), from.weights.clone(), from.outcomes.clone());
        }

        @Override
        public void serialize(Decision record, DataOutputView out) throws IOException {
            Wire.writeInts(record.experts, out);
            Wire.writeFloats(record.weights, out);
            for (Outcome outcome : record.outcomes) {
                out.writeByte(outcome.code());
            }
        }

        @Override
        public Decision deserialize(DataInputView in) throws IOException {
            int[] experts = Wire.readInts(in);
            float[] weights = Wire.readFloats(in);
            Outcome[] outcomes = new Outcome[experts.length];
            for (int rank = 0; rank < outcomes.length; rank++) {
                outcomes[rank] = Outcome.ofCode(in.readByte());
            }
            return new Decision(experts, weights, outcomes);
        }

        @Override
        public TypeSerializerSnapshot<Decision> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    @Internal
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Decision> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
