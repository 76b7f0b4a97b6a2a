// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.serialization.ImmutableSerializer;
import io.flinkmoe.serialization.RecordTypeInfo;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * The residuals and the choices of T routed tokens, on the way from the router to the combine.
 *
 * @param batch the lane's batch number; the results of the experts carry the same number
 * @param tokens the tokens; their vectors are the residuals [T, d]
 * @param choices the choices [T, k]; PENDING if they are dispatched to an expert
 */
@Internal
public record ResidualBlock(long batch, TokenBlock tokens, Choices choices) {

    /** The type information of this record. */
    public static final TypeInformation<ResidualBlock> TYPE =
            new RecordTypeInfo<>(ResidualBlock.class, new Serializer());

    private static final TokenBlock.Serializer TOKENS = new TokenBlock.Serializer();
    private static final Choices.Serializer CHOICES = new Choices.Serializer();

    /** The serializer of this record. */
    public static final class Serializer extends ImmutableSerializer<ResidualBlock> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(ResidualBlock record, DataOutputView out) throws IOException {
            out.writeLong(record.batch);
            TOKENS.serialize(record.tokens, out);
            CHOICES.serialize(record.choices, out);
        }

        @Override
        public ResidualBlock deserialize(DataInputView in) throws IOException {
            return new ResidualBlock(
                    in.readLong(), TOKENS.deserialize(in), CHOICES.deserialize(in));
        }

        @Override
        public TypeSerializerSnapshot<ResidualBlock> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<ResidualBlock> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
