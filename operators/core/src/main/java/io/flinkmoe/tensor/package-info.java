/**
 * Float vectors as bytes, and safetensors files: reading single tensors, writing whole files. Plain
 * Java: no Flink, no ONNX Runtime.
 */
package io.flinkmoe.tensor;
