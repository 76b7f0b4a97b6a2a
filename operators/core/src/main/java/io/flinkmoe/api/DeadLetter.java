package io.flinkmoe.api;

import io.flinkmoe.serialization.ImmutableSerializer;
import io.flinkmoe.serialization.RecordTypeInfo;
import java.io.IOException;
import java.lang.reflect.Type;
import java.util.Map;
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
 * A record that could not be scored, as it came, and why.
 *
 * @param origin where it came from
 * @param record the record; null where only the token is known
 * @param token the token, where there is no record or its bytes are gone; else null
 * @param rejection what is wrong with it
 */
@PublicEvolving
@TypeInfo(DeadLetter.Factory.class)
public record DeadLetter(Origin origin, RawRecord record, Token token, Rejection rejection) {

    /** The type information, with a serializer of its own. */
    public static final TypeInformation<DeadLetter> TYPE =
            new RecordTypeInfo<>(DeadLetter.class, new Serializer());

    /** Where an operator's dead letters go. */
    public static final OutputTag<DeadLetter> OUTPUT = new OutputTag<>("dead-letters", TYPE);

    private static final Token.Serializer TOKENS = new Token.Serializer();

    /** A record of a topic. */
    public static DeadLetter of(Origin origin, RawRecord record, Rejection rejection) {
        return new DeadLetter(origin, record, null, rejection);
    }

    /** A token of whose record only the origin is left. */
    public static DeadLetter of(Origin origin, Token token, Rejection rejection) {
        return new DeadLetter(origin, null, token, rejection);
    }

    /** A token that did not come from a topic. */
    public static DeadLetter of(Token token, Rejection rejection) {
        return of(Origin.UNKNOWN, token, rejection);
    }

    /** What is wrong with it, in words. */
    public String reason() {
        return rejection.reason();
    }

    /** Finds {@link #TYPE} for Flink's type extraction. */
    public static final class Factory extends TypeInfoFactory<DeadLetter> {
        @Override
        public TypeInformation<DeadLetter> createTypeInfo(
                Type type, Map<String, TypeInformation<?>> genericParameters) {
            return TYPE;
        }
    }

    /** The wire form. */
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

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<DeadLetter> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
