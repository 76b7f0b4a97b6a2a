/**
 * How many choices of a window an expert admits, which ones, and the outcomes of the others:
 * windows, formulas, the order and the rule of admission, rounds of overflow, weights, and counts.
 * Plain Java, used by the operators and by the reference.
 */
package io.flinkmoe.capacity;
