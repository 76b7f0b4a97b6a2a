// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.serialization.ImmutableSerializer;
import io.flinkmoe.serialization.RecordTypeInfo;
import io.flinkmoe.serialization.WindowCountsSerializer;
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
import org.apache.flink.util.OutputTag;

/**
 * The counts of one window in one operator. Summaries of the same window, source, expert and lane
 * add up: choices that arrive after the window has closed, such as those of late tokens, follow in
 * another summary. Summed over all of them, {@code asked} is k·T for the routers and for the
 * combines of a layer with one gate. For the admission in round 0, it is smaller by the choices
 * whose outcome the router determines. Over all rounds, what the admission of an expert admits is
 * what the expert executed or failed. Choices of diverted late tokens are counted by the routers of
 * the first layer only.
 *
 * @param layer the MoE layer, counted from 0
 * @param windowStart first timestamp of the window, milliseconds since the epoch
 * @param source the operator that counted
 * @param round the round of admission for {@link Source#ADMISSION}, from 0; else 0
 * @param expert the expert for {@link Source#ADMISSION} and {@link Source#EXPERT}, else {@link
 *     #NONE}
 * @param lane the lane, or {@link #NONE} for {@link Source#ADMISSION}
 * @param gate the gate for {@link Source#GATE}, else {@link #NONE}
 * @param counts the number of choices by outcome
 */
@PublicEvolving
@TypeInfo(WindowSummary.Factory.class)
public record WindowSummary(
        int layer,
        long windowStart,
        Source source,
        int round,
        int expert,
        int lane,
        int gate,
        WindowCounts counts) {

    /** A summary that is not by gate. */
    public WindowSummary(
            int layer,
            long windowStart,
            Source source,
            int round,
            int expert,
            int lane,
            WindowCounts counts) {
        this(layer, windowStart, source, round, expert, lane, NONE, counts);
    }

    /** The expert, lane or gate of a summary that is not by expert, lane or gate. */
    public static final int NONE = -1;

    /** The type information of this record. */
    public static final TypeInformation<WindowSummary> TYPE =
            new RecordTypeInfo<>(WindowSummary.class, new Serializer());

    /** The operator that counted. */
    public enum Source {
        /**
         * The choices made, with the outcomes of those that were not dispatched to an expert; by
         * lane.
         */
        ROUTER,
        /**
         * The choices that asked for an expert, and what its admission decided; by expert and
         * round.
         */
        ADMISSION,
        /**
         * The choices that an expert was given, by their final outcome: executed, rerouted or
         * failed; by expert and lane. The combines count them.
         */
        EXPERT,
        /**
         * The final outcome of every choice; by lane. A choice that an expert executed is FAILED
         * here if the token's weighted sum is not finite.
         */
        COMBINE,
        /**
         * The final outcomes of the choices of each of several gates; by gate and lane. The
         * combines count them. An expert that two gates choose for a token counts for both.
         */
        GATE
    }

    /** The side output for the summaries of an operator. */
    public static final OutputTag<WindowSummary> SUMMARIES =
            new OutputTag<>("window-summaries", TYPE);

    private static final Source[] SOURCES = Source.values();
    private static final WindowCountsSerializer COUNTS = new WindowCountsSerializer();

    /** Provides {@link #TYPE} to Flink's type extraction. */
    @Internal
    public static final class Factory extends TypeInfoFactory<WindowSummary> {
        @Override
        public TypeInformation<WindowSummary> createTypeInfo(
                Type type, Map<String, TypeInformation<?>> genericParameters) {
            return TYPE;
        }
    }

    /** The serializer of this record. */
    @Internal
    public static final class Serializer extends ImmutableSerializer<WindowSummary> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(WindowSummary record, DataOutputView out) throws IOException {
            out.writeInt(record.layer);
            out.writeLong(record.windowStart);
            out.writeByte(record.source.ordinal());
            out.writeInt(record.round);
            out.writeInt(record.expert);
            out.writeInt(record.lane);
            out.writeInt(record.gate);
            COUNTS.serialize(record.counts, out);
        }

        @Override
        public WindowSummary deserialize(DataInputView in) throws IOException {
            return new WindowSummary(
                    in.readInt(),
                    in.readLong(),
                    SOURCES[in.readByte()],
                    in.readInt(),
                    in.readInt(),
                    in.readInt(),
                    in.readInt(),
                    COUNTS.deserialize(in));
        }

        @Override
        public TypeSerializerSnapshot<WindowSummary> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    @Internal
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<WindowSummary> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
