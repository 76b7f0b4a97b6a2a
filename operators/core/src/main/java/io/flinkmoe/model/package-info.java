/**
 * The model bundle on a local path: read, checked, written, and imported from a checkpoint. Plain
 * Java: no Flink, no ONNX Runtime.
 *
 * <p>Dimensions: N experts, k experts per token, d the hidden size, h the inner size of an expert.
 */
package io.flinkmoe.model;
