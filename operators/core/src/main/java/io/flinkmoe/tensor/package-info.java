/** Tensors in safetensors files: read piece by piece, written whole. Plain Java. */
package io.flinkmoe.tensor;
