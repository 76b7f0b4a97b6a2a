// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import org.apache.flink.annotation.Internal;

/** The topic that flights are sent to. */
@Internal
record DrillTopic(String brokers, String name, int partitions) {

    /** The partition of all tokens of a stream. */
    int partitionOf(String stream) {
        return Math.floorMod(stream.hashCode(), partitions);
    }
}
