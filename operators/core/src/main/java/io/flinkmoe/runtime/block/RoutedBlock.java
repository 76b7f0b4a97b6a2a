// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.serialization.ImmutableSerializer;
import io.flinkmoe.serialization.RecordTypeInfo;
import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * T routed tokens, without their way to the experts: from the router to the dispatch or the
 * combine, and from the dispatch to the combine.
 *
 * @param batch the lane's batch number; what the experts and their admission return carries the
 *     same number
 * @param tokens the tokens; their vectors are what they carry past the experts [T, carried size]
 * @param choices the choices [T, k]; PENDING if an expert or its admission determines the outcome
 * @param scales [T, G], multiplies the weights of each token at each gate after the {@link
 *     io.flinkmoe.capacity.WeightRule}; empty if the router has multiplied them already
 * @param hidden [T, input size], the input of the experts; {@link Vectors#NONE} if it is what the
 *     tokens carry, or if the receiver does not need it
 */
@Internal
public record RoutedBlock(
        long batch, TokenBlock tokens, Choices choices, float[] scales, Vectors hidden) {

    /** Creates a block without scales and hidden vectors. */
    public RoutedBlock(long batch, TokenBlock tokens, Choices choices) {
        this(batch, tokens, choices, new float[0], Vectors.NONE);
    }

    /** The type information of this record. */
    public static final TypeInformation<RoutedBlock> TYPE =
            new RecordTypeInfo<>(RoutedBlock.class, new Serializer());

    private static final TokenBlock.Serializer TOKENS = new TokenBlock.Serializer();
    private static final Choices.Serializer CHOICES = new Choices.Serializer();

    /** The serializer of this record. */
    public static final class Serializer extends ImmutableSerializer<RoutedBlock> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(RoutedBlock record, DataOutputView out) throws IOException {
            out.writeLong(record.batch);
            TOKENS.serialize(record.tokens, out);
            CHOICES.serialize(record.choices, out);
            Wire.writeFloats(record.scales, out);
            record.hidden.write(out);
        }

        @Override
        public RoutedBlock deserialize(DataInputView in) throws IOException {
            return new RoutedBlock(
                    in.readLong(),
                    TOKENS.deserialize(in),
                    CHOICES.deserialize(in),
                    Wire.readFloats(in),
                    Vectors.read(in));
        }

        @Override
        public TypeSerializerSnapshot<RoutedBlock> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<RoutedBlock> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
