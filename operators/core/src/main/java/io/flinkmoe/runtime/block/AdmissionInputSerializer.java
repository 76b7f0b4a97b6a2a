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
import org.apache.flink.util.OutputTag;

/**
 * The serializer of {@link AdmissionInput}: one byte for the kind of record, then the serialized
 * record.
 */
@Internal
public final class AdmissionInputSerializer extends ImmutableSerializer<AdmissionInput> {

    /** The type information of {@link AdmissionInput}. */
    public static final TypeInformation<AdmissionInput> TYPE =
            new RecordTypeInfo<>(AdmissionInput.class, new AdmissionInputSerializer());

    /** The side output to the first or the next round of admission. */
    public static final OutputTag<AdmissionInput> OUTPUT = new OutputTag<>("candidates", TYPE);

    private static final long serialVersionUID = 1L;
    private static final byte CANDIDATES = 0;
    private static final byte WINDOW_TOKENS = 1;
    private static final byte REMAINING = 2;
    private static final CandidateBlock.Serializer CANDIDATES_SERIALIZER =
            new CandidateBlock.Serializer();
    private static final WindowTokens.Serializer WINDOW_TOKENS_SERIALIZER =
            new WindowTokens.Serializer();
    private static final RemainingCapacity.Serializer REMAINING_SERIALIZER =
            new RemainingCapacity.Serializer();

    @Override
    public void serialize(AdmissionInput record, DataOutputView out) throws IOException {
        if (record instanceof CandidateBlock block) {
            out.writeByte(CANDIDATES);
            CANDIDATES_SERIALIZER.serialize(block, out);
        } else if (record instanceof WindowTokens count) {
            out.writeByte(WINDOW_TOKENS);
            WINDOW_TOKENS_SERIALIZER.serialize(count, out);
        } else {
            out.writeByte(REMAINING);
            REMAINING_SERIALIZER.serialize((RemainingCapacity) record, out);
        }
    }

    @Override
    public AdmissionInput deserialize(DataInputView in) throws IOException {
        return switch (in.readByte()) {
            case CANDIDATES -> CANDIDATES_SERIALIZER.deserialize(in);
            case WINDOW_TOKENS -> WINDOW_TOKENS_SERIALIZER.deserialize(in);
            default -> REMAINING_SERIALIZER.deserialize(in);
        };
    }

    @Override
    public TypeSerializerSnapshot<AdmissionInput> snapshotConfiguration() {
        return new Snapshot();
    }

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<AdmissionInput> {
        public Snapshot() {
            super(AdmissionInputSerializer::new);
        }
    }
}
