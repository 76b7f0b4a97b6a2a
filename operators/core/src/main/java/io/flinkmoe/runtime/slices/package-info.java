/** Operators that do long work in slices, and let checkpoints pass in front of it. */
package io.flinkmoe.runtime.slices;
