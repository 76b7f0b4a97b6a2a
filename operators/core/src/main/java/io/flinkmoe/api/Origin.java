// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * The place of a record in its source.
 *
 * @param topic the topic; empty if it is unknown
 * @param partition the partition; -1 if it is unknown
 * @param offset the offset in the partition; -1 if it is unknown
 */
@PublicEvolving
public record Origin(String topic, int partition, long offset) {

    /** The origin of a record from a source without partitions. */
    public static final Origin UNKNOWN = new Origin("", -1, -1);

    public Origin {
        Objects.requireNonNull(topic, "topic");
    }

    /** Whether topic, partition and offset are known. */
    public boolean isKnown() {
        return !topic.isEmpty() && partition >= 0 && offset >= 0;
    }

    static void write(Origin origin, DataOutputView out) throws IOException {
        Wire.writeString(origin.topic, out);
        out.writeInt(origin.partition);
        out.writeLong(origin.offset);
    }

    static Origin read(DataInputView in) throws IOException {
        return new Origin(Wire.readString(in), in.readInt(), in.readLong());
    }
}
