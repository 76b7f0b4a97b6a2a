// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import org.apache.flink.annotation.Internal;
import org.apache.flink.util.MathUtils;

/** Hashes streams to lanes. */
@Internal
public final class Lanes {

    private Lanes() {}

    /**
     * Returns the lane of a stream.
     *
     * @param stream the name of the stream
     * @param lanes the number of lanes
     */
    public static int of(String stream, int lanes) {
        return MathUtils.murmurHash(stream.hashCode()) % lanes;
    }
}
