/**
 * ONNX Runtime: models opened once per process and shared, direct buffers that are reused, and what
 * of a layer runs where the tokens are. The only package that opens sessions.
 */
package io.flinkmoe.onnx;
