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
 * The number of tokens of one lane in a closed window, without late tokens. The router reports it
 * to every expert before the watermark that closes the window, so an expert knows all of T when it
 * closes the window.
 *
 * @param expert the expert that receives the report, counted from 0
 * @param lane the lane of the tokens
 * @param windowStart first timestamp of the window, milliseconds since the epoch
 * @param tokens the number of tokens, 1 or more; lanes without tokens send no report
 */
@Internal
public record WindowTokens(int expert, int lane, long windowStart, int tokens)
        implements AdmissionInput {

    /** The serializer of this record. */
    public static final class Serializer extends ImmutableSerializer<WindowTokens> {
        private static final long serialVersionUID = 1L;

        @Override
        public void serialize(WindowTokens record, DataOutputView out) throws IOException {
            out.writeInt(record.expert);
            out.writeInt(record.lane);
            out.writeLong(record.windowStart);
            out.writeInt(record.tokens);
        }

        @Override
        public WindowTokens deserialize(DataInputView in) throws IOException {
            return new WindowTokens(in.readInt(), in.readInt(), in.readLong(), in.readInt());
        }

        @Override
        public TypeSerializerSnapshot<WindowTokens> snapshotConfiguration() {
            return new Snapshot();
        }
    }

    /** Version 1 of the serialized form. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<WindowTokens> {
        public Snapshot() {
            super(Serializer::new);
        }
    }
}
