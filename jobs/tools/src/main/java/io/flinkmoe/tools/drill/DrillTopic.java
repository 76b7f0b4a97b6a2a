package io.flinkmoe.tools.drill;

import org.apache.flink.annotation.Internal;

/** A topic that flights are sent to. */
@Internal
record DrillTopic(String brokers, String name, int partitions) {

    /** The partition of a stream: the same for all its tokens. */
    int partitionOf(String stream) {
        return Math.floorMod(stream.hashCode(), partitions);
    }
}
