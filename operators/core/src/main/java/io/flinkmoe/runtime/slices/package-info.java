/** Operators that do long work in slices, and let checkpoint barriers pass before that work. */
package io.flinkmoe.runtime.slices;
