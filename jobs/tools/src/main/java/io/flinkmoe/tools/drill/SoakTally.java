package io.flinkmoe.tools.drill;

import java.util.BitSet;
import org.apache.flink.annotation.Internal;

/**
 * Which flights of a {@link DrillStream} were sent and scored; a position is that of one flight.
 */
@Internal
final class SoakTally {

    private final BitSet sent = new BitSet();
    private final BitSet scored = new BitSet();
    private long surplus;

    void sent(long position) {
        sent.set(Math.toIntExact(position));
    }

    /** Adds an answer, once all is sent. */
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

    /** Whether each flight was scored once. */
    boolean isEven() {
        return missing() == 0 && surplus == 0;
    }

    @Override
    public String toString() {
        return "%,d flights sent, %,d missing, %,d scored twice or never sent"
                .formatted(sent.cardinality(), missing(), surplus);
    }
}
