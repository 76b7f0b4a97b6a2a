/**
 * The model bundle on a local path: reading, checking and writing it, and the ONNX graphs inside.
 * Plain Java: of Flink only the stability annotations, no ONNX Runtime. The subpackage {@code
 * huggingface} makes bundles from checkpoints; nothing here imports it.
 *
 * <p>Dimensions: N experts, k experts per token, d the hidden size, h the inner size of an expert.
 */
package io.flinkmoe.model;
