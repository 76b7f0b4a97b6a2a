// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.ingest;

import io.flinkmoe.api.Arrival;
import org.apache.flink.annotation.Internal;

/**
 * Decides from the content of a partition whether its tokens are late. Ingest uses {@link #NEVER}
 * or {@link PartitionClocks}.
 */
@Internal
interface PartitionLateness {

    /** Without a capacity there are no windows, so no token is late. */
    PartitionLateness NEVER =
            new PartitionLateness() {
                @Override
                public boolean isLate(Arrival arrival) {
                    return false;
                }

                @Override
                public void snapshot() {}
            };

    /** Returns whether the next token of a partition is late. */
    boolean isLate(Arrival arrival);

    /** Writes the state. Call it from {@code snapshotState}. */
    void snapshot() throws Exception;
}
