/**
 * Imports Hugging Face checkpoints: reads config.json and the safetensors files, finds the MoE
 * layers of each supported model family, and writes them as a bundle. Plain Java: of Flink only the
 * stability annotations, no ONNX Runtime.
 */
package io.flinkmoe.model.huggingface;
