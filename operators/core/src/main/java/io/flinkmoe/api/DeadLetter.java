// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.serialization.ImmutableSerializer;
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
 * A rejected record, unchanged, with the reason.
 *
 * @param record the raw bytes of the record; null if only the token is known
 * @param token the token, if the record did not arrive as bytes or its bytes are no longer known;
 *     else null
 * @param topic the Kafka topic of the record; empty if it did not come from Kafka
 * @param partition the Kafka partition of the record; -1 if it did not come from Kafka
 * @param offset the offset of the record in the partition; -1 if it did not come from Kafka
 * @param reason why the record was rejected
 */
@PublicEvolving
@TypeInfo(DeadLetter.Factory.class)
public record DeadLetter(
        byte[] record, Token token, String topic, int partition, long offset, String reason) {

    /** The type information of this record. */
    public static final TypeInformation<DeadLetter> TYPE =
            new RecordTypeInfo<>(DeadLetter.class, new Serializer());

    /** The side output for the dead letters of an operator. */
    public static final OutputTag<DeadLetter> OUTPUT = new OutputTag<>("dead-letters", TYPE);

    private static final Token.Serializer TOKENS = new Token.Serializer();

    /** A dead letter for a record from Kafka. */
    public DeadLetter(byte[] record, String topic, int partition, long offset, String reason) {
        this(record, null, topic, partition, offset, reason);
    }

    /**
     * A dead letter for a token that did not come from Kafka, or whose Kafka record is no longer
     * known.
     */
    public static DeadLetter of(Token token, String reason) {
        return new DeadLetter(null, token, "", -1, -1, reason);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof DeadLetter that
                && Arrays.equals(record, that.record)
                && Objects.equals(token, that.token)
                && Objects.equals(topic, that.topic)
                && partition == that.partition
                && offset == that.offset
                && Objects.equals(reason, that.reason);
    }

    @Override
    public int hashCode() {
        return Objects.hash(Arrays.hashCode(record), token, topic, partition, offset, reason);
    }

    @Override
    public String toString() {
        return "DeadLetter[record=%s, token=%s, topic=%s, partition=%s, offset=%s, reason=%s]"
                .formatted(
                        record == null ? "null" : record.length + " bytes",
                        token,
                        topic,
                        partition,
                        offset,
                        reason);
    }

    /** Provides {@link #TYPE} to Flink's type extraction. */
    @Internal
    public static final class Factory extends TypeInfoFactory<DeadLetter> {
        @Override
        public TypeInformation<DeadLetter> createTypeInfo(
                Type type, Map<String, TypeInformation<?>> genericParameters) {
            return TYPE;
        }
    }

    /** The serializer of this record. */
    @Internal
    public static final class Serializer extends ImmutableSerializer<DeadLetter> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(DeadLetter record, DataOutputView out) throws IOException {
            Wire.writeBytes(record.record, out);
            out.writeBoolean(record.token != null);
            if (record.token != null) {
                TOKENS.serialize(record.token, out);
            }
            Wire.writeString(record.topic, out);
            out.writeInt(record.partition);
            out.writeLong(record.offset);
            Wire.writeString(record.reason, out);
        }

        @Override
        public DeadLetter deserialize(DataInputView in) throws IOException {
            return new DeadLetter(
                    Wire.readBytes(in),
                    in.readBoolean() ? TOKENS.deserialize(in) : null,
                    Wire.readString(in),
                    in.readInt(),
                    in.readLong(),
                    Wire.readString(in));
        }

        @Override
        public TypeSerializerSnapshot<DeadLetter> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    @Internal
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<DeadLetter> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
