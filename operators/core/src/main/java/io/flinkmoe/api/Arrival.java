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

/**
 * A record from a source: a valid token or a dead letter. The other of the two is null. The source
 * checks records before it generates watermarks, so an invalid record never advances the watermark.
 *
 * @param token a valid token, or null
 * @param deadLetter a rejected record, or null
 * @param origin the origin of the record. The timestamps of its partition alone decide whether the
 *     token is late; if the partition is unknown, the watermark decides
 * @param isBehind whether the token's timestamp is so much older than its record that it is taken
 *     for an error, such as 0 in a field that was not set. With a capacity the token is late, and
 *     its timestamp has no effect on watermarks
 */
@PublicEvolving
@TypeInfo(Arrival.Factory.class)
public record Arrival(Token token, DeadLetter deadLetter, Origin origin, boolean isBehind) {

    /** The type information of this record. */
    public static final TypeInformation<Arrival> TYPE =
            new RecordTypeInfo<>(Arrival.class, new Serializer());

    /** The partition of tokens from a source without partitions. */
    public static final int NO_PARTITION = -1;

    private static final Token.Serializer TOKENS = new Token.Serializer();
    private static final DeadLetter.Serializer DEAD_LETTERS = new DeadLetter.Serializer();

    /** Returns the arrival of a valid token without a partition. */
    public static Arrival of(Token token) {
        return of(token, Origin.UNKNOWN);
    }

    /**
     * Returns the arrival of a valid token.
     *
     * @param partition 0 or more; unique among the partitions of all topics that are scored
     *     together
     */
    public static Arrival of(Token token, int partition) {
        return of(token, new Origin("", partition, -1));
    }

    /**
     * Returns the arrival of a valid token with its origin, which its dead letter names if the
     * model cannot read it.
     *
     * @param origin its partition is unique among the partitions of all topics that are scored
     *     together
     */
    public static Arrival of(Token token, Origin origin) {
        return new Arrival(token, null, origin, false);
    }

    /** Returns the arrival of a valid token whose timestamp is much older than its record. */
    public static Arrival behind(Token token, Origin origin) {
        return new Arrival(token, null, origin, true);
    }

    /** Returns the arrival of a rejected record. */
    public static Arrival of(DeadLetter deadLetter) {
        return new Arrival(null, deadLetter, deadLetter.origin(), false);
    }

    /** The partition of the record; {@link #NO_PARTITION} if it is unknown. */
    public int partition() {
        return origin.partition();
    }

    /** Provides {@link #TYPE} to Flink's type extraction. */
    @Internal
    public static final class Factory extends TypeInfoFactory<Arrival> {
        @Override
        public TypeInformation<Arrival> createTypeInfo(
                Type type, Map<String, TypeInformation<?>> genericParameters) {
            return TYPE;
        }
    }

    /** The serializer of this record. */
    @Internal
    public static final class Serializer extends ImmutableSerializer<Arrival> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(Arrival record, DataOutputView out) throws IOException {
            out.writeBoolean(record.token != null);
            if (record.token != null) {
                TOKENS.serialize(record.token, out);
                Origin.write(record.origin, out);
                out.writeBoolean(record.isBehind);
            } else {
                DEAD_LETTERS.serialize(record.deadLetter, out);
            }
        }

        @Override
        public Arrival deserialize(DataInputView in) throws IOException {
            return in.readBoolean()
                    ? new Arrival(TOKENS.deserialize(in), null, Origin.read(in), in.readBoolean())
                    : of(DEAD_LETTERS.deserialize(in));
        }

        @Override
        public TypeSerializerSnapshot<Arrival> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    @Internal
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Arrival> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
