// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.capacity.GlobalWindow;
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
import org.apache.flink.util.OutputTag;

/**
 * An entry of the decision log: the experts of a token in each layer, with scores, weights and
 * outcomes.
 *
 * @param stream the token's stream
 * @param position the token's position in its stream
 * @param timestamp the token's event time, milliseconds since the epoch
 * @param windowStart first timestamp of its capacity window, milliseconds since the epoch; {@link
 *     #NO_WINDOW} without a capacity
 * @param modelVersion the version of the bundle that routed the token
 * @param layers one entry per MoE layer
 * @param partition the partition that the token was read from; {@link Arrival#NO_PARTITION} if it
 *     is unknown
 */
@PublicEvolving
@TypeInfo(DecisionRecord.Factory.class)
public record DecisionRecord(
        String stream,
        long position,
        long timestamp,
        long windowStart,
        String modelVersion,
        Layer[] layers,
        int partition) {

    /** The type information of this record. */
    public static final TypeInformation<DecisionRecord> TYPE =
            new RecordTypeInfo<>(DecisionRecord.class, new Serializer());

    /** The side output for the decision log. */
    public static final OutputTag<DecisionRecord> DECISIONS = new OutputTag<>("decisions", TYPE);

    /** The {@code windowStart} of every token if there is no capacity. */
    public static final long NO_WINDOW = GlobalWindow.START;

    /**
     * The choices of a token in one layer. With one gate, choice j tried the experts of ranks j, j
     * + k, j + 2k … up to attempt {@code attempts[j]}, counted from 0. With several gates, the
     * choices are the experts that some gate ranks, each once.
     *
     * @param gates [G], what each gate chose
     * @param experts [k], the expert that determined the outcome of each choice; if the choice
     *     overflowed, the first expert that it tried; -1 if the token could not be routed
     * @param outcomes [k], the outcome of each choice
     * @param attempts [k], the attempt that determined the outcome of each choice
     */
    @TypeInfo(Layer.Factory.class)
    public record Layer(RankedGate[] gates, int[] experts, Outcome[] outcomes, int[] attempts) {

        /** The type information, with its own serializer. */
        public static final TypeInformation<Layer> TYPE =
                new RecordTypeInfo<>(Layer.class, new Serializer());

        @Override
        public boolean equals(Object other) {
            return other instanceof Layer that
                    && Arrays.equals(gates, that.gates)
                    && Arrays.equals(experts, that.experts)
                    && Arrays.equals(outcomes, that.outcomes)
                    && Arrays.equals(attempts, that.attempts);
        }

        @Override
        public int hashCode() {
            return Objects.hash(
                    Arrays.hashCode(gates),
                    Arrays.hashCode(experts),
                    Arrays.hashCode(outcomes),
                    Arrays.hashCode(attempts));
        }

        @Override
        public String toString() {
            return "Layer[gates=%s, experts=%s, outcomes=%s, attempts=%s]"
                    .formatted(
                            Arrays.toString(gates),
                            Arrays.toString(experts),
                            Arrays.toString(outcomes),
                            Arrays.toString(attempts));
        }

        /** Provides {@link #TYPE} to Flink's type extraction. */
        @Internal
        public static final class Factory extends TypeInfoFactory<Layer> {
            @Override
            public TypeInformation<Layer> createTypeInfo(
                    Type type, Map<String, TypeInformation<?>> genericParameters) {
                return TYPE;
            }
        }

        /** The serialized form. */
        @Internal
        public static final class Serializer extends RecordSerializer<Layer> {
            private static final long serialVersionUID = 1L;

            /** Copies the arrays, because user functions may modify them. */
            @Override
            public Layer copy(Layer from) {
                RankedGate[] gates = new RankedGate[from.gates.length];
                for (int gate = 0; gate < gates.length; gate++) {
                    gates[gate] = from.gates[gate].copy();
                }
                return new Layer(
                        gates, from.experts.clone(), from.outcomes.clone(), from.attempts.clone());
            }

            @Override
            public void serialize(Layer record, DataOutputView out) throws IOException {
                out.writeInt(record.gates.length);
                for (RankedGate gate : record.gates) {
                    gate.write(out);
                }
                Wire.writeInts(record.experts, out);
                Wire.writeInts(record.attempts, out);
                for (Outcome outcome : record.outcomes) {
                    out.writeByte(outcome.code());
                }
            }

            @Override
            public Layer deserialize(DataInputView in) throws IOException {
                RankedGate[] gates = new RankedGate[in.readInt()];
                for (int gate = 0; gate < gates.length; gate++) {
                    gates[gate] = RankedGate.read(in);
                }
                int[] experts = Wire.readInts(in);
                int[] attempts = Wire.readInts(in);
                Outcome[] outcomes = new Outcome[attempts.length];
                for (int choice = 0; choice < outcomes.length; choice++) {
                    outcomes[choice] = Outcome.ofCode(in.readByte());
                }
                return new Layer(gates, experts, outcomes, attempts);
            }

            @Override
            public TypeSerializerSnapshot<Layer> snapshotConfiguration() {
                return new Snapshot();
            }
        }

        /** Version 1 of the serialized form. */
        @Internal
        public static final class Snapshot extends SimpleTypeSerializerSnapshot<Layer> {
            public Snapshot() {
                super(Serializer::new);
            }
        }
    }

    private static final Layer.Serializer LAYERS = new Layer.Serializer();

    @Override
    public boolean equals(Object other) {
        return other instanceof DecisionRecord that
                && Objects.equals(stream, that.stream)
                && position == that.position
                && timestamp == that.timestamp
                && windowStart == that.windowStart
                && Objects.equals(modelVersion, that.modelVersion)
                && Arrays.equals(layers, that.layers)
                && partition == that.partition;
    }

    @Override
    public int hashCode() {
        return Objects.hash(
                stream,
                position,
                timestamp,
                windowStart,
                modelVersion,
                Arrays.hashCode(layers),
                partition);
    }

    @Override
    public String toString() {
        return "DecisionRecord[stream=%s, position=%s, timestamp=%s, windowStart=%s, modelVersion=%s, layers=%s, partition=%s]"
                .formatted(
                        stream,
                        position,
                        timestamp,
                        windowStart,
                        modelVersion,
                        Arrays.toString(layers),
                        partition);
    }

    /** Provides {@link #TYPE} to Flink's type extraction. */
    @Internal
    public static final class Factory extends TypeInfoFactory<DecisionRecord> {
        @Override
        public TypeInformation<DecisionRecord> createTypeInfo(
                Type type, Map<String, TypeInformation<?>> genericParameters) {
            return TYPE;
        }
    }

    /** The serializer of this record. */
    @Internal
    public static final class Serializer extends RecordSerializer<DecisionRecord> {
        private static final long serialVersionUID = 1L;

        /** Copies the arrays, because user functions may modify them. */
        @Override
        public DecisionRecord copy(DecisionRecord from) {
            Layer[] layers = new Layer[from.layers.length];
            for (int i = 0; i < layers.length; i++) {
                layers[i] = LAYERS.copy(from.layers[i]);
            }
            return new DecisionRecord(
                    from.stream,
                    from.position,
                    from.timestamp,
                    from.windowStart,
                    from.modelVersion,
                    layers,
                    from.partition);
        }

        @Override
        public void serialize(DecisionRecord record, DataOutputView out) throws IOException {
            Wire.writeString(record.stream, out);
            out.writeLong(record.position);
            out.writeLong(record.timestamp);
            out.writeLong(record.windowStart);
            Wire.writeString(record.modelVersion, out);
            out.writeInt(record.layers.length);
            for (Layer layer : record.layers) {
                LAYERS.serialize(layer, out);
            }
            out.writeInt(record.partition);
        }

        @Override
        public DecisionRecord deserialize(DataInputView in) throws IOException {
            String stream = Wire.readString(in);
            long position = in.readLong();
            long timestamp = in.readLong();
            long windowStart = in.readLong();
            String modelVersion = Wire.readString(in);
            Layer[] layers = new Layer[in.readInt()];
            for (int i = 0; i < layers.length; i++) {
                layers[i] = LAYERS.deserialize(in);
            }
            return new DecisionRecord(
                    stream, position, timestamp, windowStart, modelVersion, layers, in.readInt());
        }

        @Override
        public TypeSerializerSnapshot<DecisionRecord> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    @Internal
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<DecisionRecord> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
