/**
 * Float vectors as bytes, and safetensors files: reading single tensors, writing whole files. Plain
 * Java: of Flink only the stability annotations, no ONNX Runtime.
 */
package io.flinkmoe.tensor;
