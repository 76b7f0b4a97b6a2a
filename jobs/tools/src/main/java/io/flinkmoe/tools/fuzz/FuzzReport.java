// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import java.time.Duration;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The result of testing one target.
 *
 * @param accepted the number of accepted inputs
 * @param rejected the number of inputs that were rejected with a documented exception
 * @param maxAllocated the maximum of the heap bytes allocated for one input
 * @param peakMemory the peak resident memory of a process, in bytes; 0 if it is unknown
 * @param defects the inputs that were neither accepted nor rejected
 */
@Internal
public record FuzzReport(
        long accepted,
        long rejected,
        long maxAllocated,
        long peakMemory,
        Duration time,
        List<Defect> defects) {

    /**
     * An input that shows a defect.
     *
     * @param input its number
     * @param what what happened
     */
    public record Defect(long input, String what) {}

    /** The number of inputs that were read. */
    public long inputs() {
        return accepted + rejected + defects.size();
    }
}
