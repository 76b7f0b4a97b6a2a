/**
 * ONNX Runtime: models that are opened once per process and shared, reusable direct buffers, and
 * the parts of a layer that see every token. Only this package opens sessions.
 */
package io.flinkmoe.onnx;
