// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.Internal;

/** Which of a token's experts a choice tries in an attempt. */
@Internal
public final class Attempt {

    private Attempt() {}

    /**
     * The rank of the expert that a choice tries in an attempt: j + r·k.
     *
     * @param choice t·k + j
     * @param attempt r, 0 for the first
     * @param topK k
     */
    public static int rank(int choice, int attempt, int topK) {
        return choice % topK + attempt * topK;
    }
}
