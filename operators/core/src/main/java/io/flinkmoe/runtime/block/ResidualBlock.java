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
 * The residuals of T routed tokens and what was chosen for them, on the way from the router to the
 * combine.
 *
 * @param batch the lane's batch number, which the answers of the experts bear too
 * @param tokens the tokens; their vectors are the residuals [T, d]
 * @param choices the choices [T, k]; PENDING where an expert was asked
 */
@Internal
public record ResidualBlock(long batch, TokenBlock tokens, Choices choices) {

    /** The type information, with a serializer of its own. */
    public static final TypeInformation<ResidualBlock> TYPE =
            new RecordTypeInfo<>(ResidualBlock.class, new Serializer());

    private static final TokenBlock.Serializer TOKENS = new TokenBlock.Serializer();
    private static final Choices.Serializer CHOICES = new Choices.Serializer();

    /** The wire form. */
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

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<ResidualBlock> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
