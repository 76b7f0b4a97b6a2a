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

/** The wire form of an {@link ExpertInput}: a byte for the kind, then the kind's own form. */
@Internal
public final class ExpertInputSerializer extends RecordSerializer<ExpertInput> {

    /** The type information of {@link ExpertInput}. */
    public static final TypeInformation<ExpertInput> TYPE =
            new RecordTypeInfo<>(ExpertInput.class, new ExpertInputSerializer());

    private static final long serialVersionUID = 1L;
    private static final byte ROWS = 0;
    private static final byte TOKENS = 1;
    private static final byte ROOM = 2;
    private static final DispatchBlock.Serializer BLOCK = new DispatchBlock.Serializer();
    private static final WindowTokens.Serializer COUNT = new WindowTokens.Serializer();
    private static final RemainingCapacity.Serializer LEFT = new RemainingCapacity.Serializer();

    @Override
    public ExpertInput copy(ExpertInput from) {
        return from instanceof DispatchBlock block ? block.owned() : from;
    }

    @Override
    public void serialize(ExpertInput record, DataOutputView out) throws IOException {
        if (record instanceof DispatchBlock block) {
            out.writeByte(ROWS);
            BLOCK.serialize(block, out);
        } else if (record instanceof WindowTokens count) {
            out.writeByte(TOKENS);
            COUNT.serialize(count, out);
        } else {
            out.writeByte(ROOM);
            LEFT.serialize((RemainingCapacity) record, out);
        }
    }

    @Override
    public ExpertInput deserialize(DataInputView in) throws IOException {
        return switch (in.readByte()) {
            case ROWS -> BLOCK.deserialize(in);
            case TOKENS -> COUNT.deserialize(in);
            default -> LEFT.deserialize(in);
        };
    }

    @Override
    public TypeSerializerSnapshot<ExpertInput> snapshotConfiguration() {
        return new Snapshot();
    }

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<ExpertInput> {
        public Snapshot() {
            super(ExpertInputSerializer::new);
        }
    }
}
