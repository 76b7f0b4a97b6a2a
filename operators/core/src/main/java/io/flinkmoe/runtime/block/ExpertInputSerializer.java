// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.serialization.RecordSerializer;
import io.flinkmoe.serialization.RecordTypeInfo;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * The serializer of {@link ExpertInput}: one byte for the kind of record, then the serialized
 * record.
 */
@Internal
public final class ExpertInputSerializer extends RecordSerializer<ExpertInput> {

    /** The type information of {@link ExpertInput}. */
    public static final TypeInformation<ExpertInput> TYPE =
            new RecordTypeInfo<>(ExpertInput.class, new ExpertInputSerializer());

    private static final long serialVersionUID = 1L;
    private static final byte ROWS = 0;
    private static final byte WINDOW_TOKENS = 1;
    private static final byte REMAINING = 2;
    private static final DispatchBlock.Serializer ROWS_SERIALIZER = new DispatchBlock.Serializer();
    private static final WindowTokens.Serializer WINDOW_TOKENS_SERIALIZER =
            new WindowTokens.Serializer();
    private static final RemainingCapacity.Serializer REMAINING_SERIALIZER =
            new RemainingCapacity.Serializer();

    @Override
    public ExpertInput copy(ExpertInput from) {
        return from instanceof DispatchBlock block ? block.owned() : from;
    }

    @Override
    public void serialize(ExpertInput record, DataOutputView out) throws IOException {
        if (record instanceof DispatchBlock block) {
            out.writeByte(ROWS);
            ROWS_SERIALIZER.serialize(block, out);
        } else if (record instanceof WindowTokens count) {
            out.writeByte(WINDOW_TOKENS);
            WINDOW_TOKENS_SERIALIZER.serialize(count, out);
        } else {
            out.writeByte(REMAINING);
            REMAINING_SERIALIZER.serialize((RemainingCapacity) record, out);
        }
    }

    @Override
    public ExpertInput deserialize(DataInputView in) throws IOException {
        return switch (in.readByte()) {
            case ROWS -> ROWS_SERIALIZER.deserialize(in);
            case WINDOW_TOKENS -> WINDOW_TOKENS_SERIALIZER.deserialize(in);
            default -> REMAINING_SERIALIZER.deserialize(in);
        };
    }

    @Override
    public TypeSerializerSnapshot<ExpertInput> snapshotConfiguration() {
        return new Snapshot();
    }

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<ExpertInput> {
        public Snapshot() {
            super(ExpertInputSerializer::new);
        }
    }
}
