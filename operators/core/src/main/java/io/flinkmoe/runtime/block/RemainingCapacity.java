// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.serialization.ImmutableSerializer;
import java.io.IOException;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * The capacity that one round of admission left to an expert in a window. The next round receives
 * it before the watermark that closes the window there, so the rounds together never exceed C. An
 * expert that receives no report for a window has its full capacity.
 *
 * @param expert the expert
 * @param windowStart first timestamp of the window, milliseconds since the epoch
 * @param remaining how many more choices the expert can admit, 0 or more
 */
@Internal
public record RemainingCapacity(int expert, long windowStart, int remaining)
        implements AdmissionInput {

    /** The serializer of this record. */
    public static final class Serializer extends ImmutableSerializer<RemainingCapacity> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(RemainingCapacity record, DataOutputView out) throws IOException {
            out.writeInt(record.expert);
            out.writeLong(record.windowStart);
            out.writeInt(record.remaining);
        }

        @Override
        public RemainingCapacity deserialize(DataInputView in) throws IOException {
            return new RemainingCapacity(in.readInt(), in.readLong(), in.readInt());
        }

        @Override
        public TypeSerializerSnapshot<RemainingCapacity> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<RemainingCapacity> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
