/**
 * A whole bundle over a matrix in one process, with or without a capacity, and without Flink: the
 * stream operators must give the same bits. Also what a stream does not run: mixtures of attention
 * heads, and the algorithms that assign a whole batch or that only training uses.
 */
package io.flinkmoe.reference;
