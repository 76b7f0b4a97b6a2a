package io.flinkmoe.model;

/** What the outputs of a layer's experts are added to. */
public enum ResidualKind {
    /** y = x + moe(norm(x)), where x is the input of the layer. */
    INPUT,
    /** y = moe(norm(x)). */
    NONE
}
