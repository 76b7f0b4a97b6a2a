/**
 * The records between operators. A block holds many tokens or rows; its vectors are one row-major
 * matrix of little-endian float32 values. Blocks do not change after they are emitted. Only {@link
 * io.flinkmoe.runtime.block.Vectors} may borrow memory, until {@code collect} returns.
 */
package io.flinkmoe.runtime.block;
