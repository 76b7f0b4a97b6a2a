package io.flinkmoe.model;

/** What a layer's expert outputs are added to. */
public enum ResidualKind {
    /** y = x + moe(norm(x)), x being the layer's input. */
    INPUT,
    /** y = moe(norm(x)). */
    NONE
}
