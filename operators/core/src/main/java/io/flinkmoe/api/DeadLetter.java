// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.serialization.ImmutableSerializer;
import io.flinkmoe.serialization.RecordTypeInfo;
import java.io.IOException;
import java.lang.reflect.Type;
import java.util.Map;
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
 * @param origin the topic, partition and offset of the record
 * @param record the record; null if only the token is known
 * @param token the token, if the record did not arrive as bytes or its bytes are no longer known;
 *     else null
 * @param rejection why the record was rejected
 */
@PublicEvolving
@TypeInfo(DeadLetter.Factory.class)
public record DeadLetter(Origin origin, RawRecord record, Token token, Rejection rejection) {

    /** The type information of this record. */
    public static final TypeInformation<DeadLetter> TYPE =
            new RecordTypeInfo<>(DeadLetter.class, new Serializer());

    /** The side output for the dead letters of an operator. */
    public static final OutputTag<DeadLetter> OUTPUT = new OutputTag<>("dead-letters", TYPE);

    private static final Token.Serializer TOKENS = new Token.Serializer();

    /** A dead letter for a record of a topic. */
    public static DeadLetter of(Origin origin, RawRecord record, Rejection rejection) {
        return new DeadLetter(origin, record, null, rejection);
    }

    /** A dead letter for a token whose record is no longer known. */
    public static DeadLetter of(Origin origin, Token token, Rejection rejection) {
        return new DeadLetter(origin, null, token, rejection);
    }

    /** A dead letter for a token that did not come from a topic. */
    public static DeadLetter of(Token token, Rejection rejection) {
        return of(Origin.UNKNOWN, token, rejection);
    }

    /** Why the record was rejected, in words. */
    public String reason() {
        return rejection.reason();
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
        public void serialize(DeadLetter letter, DataOutputView out) throws IOException {
            Origin.write(letter.origin, out);
            out.writeBoolean(letter.record != null);
            if (letter.record != null) {
                RawRecord.write(letter.record, out);
            }
            out.writeBoolean(letter.token != null);
            if (letter.token != null) {
                TOKENS.serialize(letter.token, out);
            }
            Rejection.write(letter.rejection, out);
        }

        @Override
        public DeadLetter deserialize(DataInputView in) throws IOException {
            return new DeadLetter(
                    Origin.read(in),
                    in.readBoolean() ? RawRecord.read(in) : null,
                    in.readBoolean() ? TOKENS.deserialize(in) : null,
                    Rejection.read(in));
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
