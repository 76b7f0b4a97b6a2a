package io.flinkmoe.api;

import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.serialization.ImmutableSerializer;
import io.flinkmoe.serialization.RecordTypeInfo;
import io.flinkmoe.serialization.WindowCountsSerializer;
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
 * The account of one window as one operator kept it. Summaries of one window, source and key add
 * up: what comes after a window's close, as late tokens do, follows in a summary of its own. Over
 * all keys, k·T is the routers' {@code asked} and the combines'; the experts' is less by the
 * choices that the routers settled themselves.
 *
 * @param layer the MoE layer, counted from 0
 * @param windowStart first timestamp of the window, milliseconds since the epoch
 * @param source which operator counted
 * @param round the round of admission for {@link Source#EXPERT}, from 0; else 0
 * @param key the expert for {@link Source#EXPERT}, else the lane
 * @param account the counts, in choices
 */
@PublicEvolving
@TypeInfo(WindowSummary.Factory.class)
public record WindowSummary(
        int layer, long windowStart, Source source, int round, int key, WindowCounts account) {

    /** The type information, with a serializer of its own. */
    public static final TypeInformation<WindowSummary> TYPE =
            new RecordTypeInfo<>(WindowSummary.class, new Serializer());

    /** Who counted. */
    public enum Source {
        /** Choices made, and what became of those that were never dispatched; by lane. */
        ROUTER,
        /**
         * Choices that reached an expert and what it did with them; by expert and round. What a
         * round turned away is OVERFLOWED here, also if the next round finds it room.
         */
        EXPERT,
        /** What finally became of every choice; by lane. */
        COMBINE
    }

    /** Where an operator's summaries go. */
    public static final OutputTag<WindowSummary> SUMMARIES =
            new OutputTag<>("window-summaries", TYPE);

    private static final Source[] SOURCES = Source.values();
    private static final WindowCountsSerializer ACCOUNTS = new WindowCountsSerializer();

    /** Finds {@link #TYPE} for Flink's type extraction. */
    public static final class Factory extends TypeInfoFactory<WindowSummary> {
        @Override
        public TypeInformation<WindowSummary> createTypeInfo(
                Type type, Map<String, TypeInformation<?>> genericParameters) {
            return TYPE;
        }
    }

    /** The wire form. */
    public static final class Serializer extends ImmutableSerializer<WindowSummary> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(WindowSummary record, DataOutputView out) throws IOException {
            out.writeInt(record.layer);
            out.writeLong(record.windowStart);
            out.writeByte(record.source.ordinal());
            out.writeInt(record.round);
            out.writeInt(record.key);
            ACCOUNTS.serialize(record.account, out);
        }

        @Override
        public WindowSummary deserialize(DataInputView in) throws IOException {
            return new WindowSummary(
                    in.readInt(),
                    in.readLong(),
                    SOURCES[in.readByte()],
                    in.readInt(),
                    in.readInt(),
                    ACCOUNTS.deserialize(in));
        }

        @Override
        public TypeSerializerSnapshot<WindowSummary> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the wire form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<WindowSummary> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
