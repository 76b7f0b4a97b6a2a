// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import java.util.BitSet;
import org.apache.flink.annotation.Internal;

/**
 * Counts the flights of a {@link DrillStream} that were sent and scored. A position identifies one
 * flight.
 */
@Internal
final class SoakCounts {

    private final BitSet sent = new BitSet();
    private final BitSet scored = new BitSet();
    private long surplus;

    void sent(long position) {
        sent.set(Math.toIntExact(position));
    }

    /** Records an answer, after all flights were sent. */
    void scored(long position) {
        int flight = Math.toIntExact(position);
        if (!sent.get(flight) || scored.get(flight)) {
            surplus++;
        }
        scored.set(flight);
    }

    private int missing() {
        BitSet missing = (BitSet) sent.clone();
        missing.andNot(scored);
        return missing.cardinality();
    }

    /** Whether each flight was scored exactly once. */
    boolean isComplete() {
        return missing() == 0 && surplus == 0;
    }

    @Override
    public String toString() {
        return "%,d flights sent, %,d missing, %,d scored twice or never sent"
                .formatted(sent.cardinality(), missing(), surplus);
    }
}
