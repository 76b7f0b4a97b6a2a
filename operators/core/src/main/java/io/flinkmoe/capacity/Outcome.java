// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import org.apache.flink.annotation.PublicEvolving;

/**
 * The outcome of one choice of a token. The ordinal is the wire code: add new outcomes at the end.
 */
@PublicEvolving
public enum Outcome {
    /** The expert that was chosen executed it. */
    EXECUTED,
    /** A less probable expert executed it, since it overflowed at the one chosen. */
    REROUTED,
    /**
     * No expert that it tried had capacity left, or a random policy left the choice out: the
     * residual passes unchanged.
     */
    OVERFLOWED,
    /** The token's window was closed already: the residual passes unchanged. */
    LATE,
    /**
     * The expert threw, or a value is not finite that the choice needs: router logits, weights, the
     * output of the expert or of a shared expert, or the weighted sum. The residual passes.
     */
    FAILED;

    /**
     * In an array of codes: a choice that the token does not make, because it asks for fewer
     * experts than others do.
     */
    public static final byte NO_CHOICE = -2;

    private static final Outcome[] VALUES = values();

    /** The outcome of a wire code, which is its ordinal. */
    public static Outcome ofCode(int code) {
        return VALUES[code];
    }

    /** The wire code. */
    public byte code() {
        return (byte) ordinal();
    }
}
