// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime;

import io.flinkmoe.runtime.block.TokenBlock;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.io.network.api.writer.SubtaskStateMapper;
import org.apache.flink.runtime.plugable.SerializationDelegate;
import org.apache.flink.streaming.runtime.partitioner.StreamPartitioner;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Spreads blocks over subtasks by lane, for an operator without keys: the maximum parallelism of a
 * keyed one depends on the number of lanes. Flink's own custom partitioning refuses unaligned
 * checkpoints.
 */
@Internal
final class LanePartitioner extends StreamPartitioner<TokenBlock> {

    private static final long serialVersionUID = 1L;

    @Override
    public int selectChannel(SerializationDelegate<StreamRecord<TokenBlock>> record) {
        return record.getInstance().getValue().lane() % numberOfChannels;
    }

    /** The exchange has no in-flight records in checkpoints, see {@link Operators#aligned}. */
    @Override
    public SubtaskStateMapper getDownstreamSubtaskStateMapper() {
        return SubtaskStateMapper.ROUND_ROBIN;
    }

    @Override
    public StreamPartitioner<TokenBlock> copy() {
        return this;
    }

    @Override
    public boolean isPointwise() {
        return false;
    }

    @Override
    public String toString() {
        return "LANE";
    }
}
