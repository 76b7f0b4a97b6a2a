// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import io.flinkmoe.api.Origin;
import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/** The wire form of the origins of a block. A topic that all of them share is written once. */
@Internal
final class Origins {

    private Origins() {}

    static void write(Origin[] origins, DataOutputView out) throws IOException {
        String[] topics = new String[origins.length];
        int[] partitions = new int[origins.length];
        long[] offsets = new long[origins.length];
        boolean sameTopic = true;
        for (int i = 0; i < origins.length; i++) {
            topics[i] = origins[i].topic();
            partitions[i] = origins[i].partition();
            offsets[i] = origins[i].offset();
            sameTopic &= topics[i].equals(topics[0]);
        }
        Wire.writeInts(partitions, out);
        if (origins.length == 0) {
            return;
        }
        Wire.writeLongs(offsets, out);
        Wire.writeStrings(sameTopic ? Arrays.copyOf(topics, 1) : topics, out);
    }

    static Origin[] read(DataInputView in) throws IOException {
        int[] partitions = Wire.readInts(in);
        if (partitions.length == 0) {
            return new Origin[0];
        }
        long[] offsets = Wire.readLongs(in);
        String[] topics = Wire.readStrings(in);
        Origin[] origins = new Origin[partitions.length];
        for (int i = 0; i < origins.length; i++) {
            String topic = topics[topics.length == 1 ? 0 : i];
            origins[i] = new Origin(topic, partitions[i], offsets[i]);
        }
        return origins;
    }
}
