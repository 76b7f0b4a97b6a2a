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

/**
 * What a source hands to {@code Ingest}: a token that was checked, or a dead letter; one of the two
 * is null. The check comes before the watermark is made, so that a bad record never moves it.
 *
 * @param origin where the token came from; the content of its partition alone decides whether it is
 *     late. Of an unknown partition the watermark decides
 */
@PublicEvolving
@TypeInfo(Arrival.Factory.class)
public record Arrival(Token token, DeadLetter deadLetter, Origin origin) {

    /** The type information, with a serializer of its own. */
    public static final TypeInformation<Arrival> TYPE =
            new RecordTypeInfo<>(Arrival.class, new Serializer());

    /** Of a source without partitions. */
    public static final int NO_PARTITION = -1;

    private static final Token.Serializer TOKENS = new Token.Serializer();
    private static final DeadLetter.Serializer DEAD_LETTERS = new DeadLetter.Serializer();

    public static Arrival of(Token token) {
        return of(token, Origin.UNKNOWN);
    }

    /**
     * @param partition 0 or more; of all topics that are scored together, no two have the same
     */
    public static Arrival of(Token token, int partition) {
        return of(token, new Origin("", partition, -1));
    }

    /**
     * @param origin its partition is 0 or more; of all topics that are scored together, no two have
     *     the same
     */
    public static Arrival of(Token token, Origin origin) {
        return new Arrival(token, null, origin);
    }

    public static Arrival of(DeadLetter deadLetter) {
        return new Arrival(null, deadLetter, deadLetter.origin());
    }

    /** The partition that it came from; {@link #NO_PARTITION} if that is unknown. */
    public int partition() {
        return origin.partition();
    }

    /** Finds {@link #TYPE} for Flink's type extraction. */
    public static final class Factory extends TypeInfoFactory<Arrival> {
        @Override
        public TypeInformation<Arrival> createTypeInfo(
                Type type, Map<String, TypeInformation<?>> genericParameters) {
            return TYPE;
        }
    }

    /** The wire form. */
    public static final class Serializer extends ImmutableSerializer<Arrival> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(Arrival record, DataOutputView out) throws IOException {
            out.writeBoolean(record.token != null);
            if (record.token != null) {
                TOKENS.serialize(record.token, out);
                Origin.write(record.origin, out);
            } else {
                DEAD_LETTERS.serialize(record.deadLetter, out);
            }
        }

        @Override
        public Arrival deserialize(DataInputView in) throws IOException {
            return in.readBoolean()
                    ? of(TOKENS.deserialize(in), Origin.read(in))
                    : of(DEAD_LETTERS.deserialize(in));
        }

        @Override
        public TypeSerializerSnapshot<Arrival> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Arrival> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
