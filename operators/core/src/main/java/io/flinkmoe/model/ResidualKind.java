// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import org.apache.flink.annotation.PublicEvolving;

/** What the outputs of a layer's experts are added to. */
@PublicEvolving
public enum ResidualKind {
    /** y = x + moe(norm(x)), where x is the input of the layer. */
    INPUT,
    /** y = moe(norm(x)). */
    NONE,
    /** y = norm(x) + moe(norm(x)) (MiniMax-Text-01). */
    HIDDEN
}
