package io.flinkmoe.tools.fuzz;

import java.time.Duration;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * What became of the inputs of one target.
 *
 * @param accepted inputs that were read without complaint
 * @param refused inputs that were refused as the reader's documentation says
 * @param mostAllocated the most bytes of heap allocated for one input
 * @param peakMemory the most resident memory of a process, in bytes; 0 where it is not known
 * @param defects what was neither accepted nor refused
 */
@Internal
public record FuzzReport(
        long accepted,
        long refused,
        long mostAllocated,
        long peakMemory,
        Duration time,
        List<Defect> defects) {

    /**
     * An input that a reader was not up to.
     *
     * @param input its number
     * @param what what happened
     */
    public record Defect(long input, String what) {}

    /** Inputs that were read. */
    public long inputs() {
        return accepted + refused + defects.size();
    }
}
