/**
 * What ONNX Runtime computes of a layer besides its experts: the encoder before the first one,
 * norm, gates and their choices, what goes past the experts, and the head after the last one.
 */
package io.flinkmoe.onnx.layer;
