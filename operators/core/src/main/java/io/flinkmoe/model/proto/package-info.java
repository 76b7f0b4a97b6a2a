// SPDX-License-Identifier: Apache-2.0
/**
 * Reads ONNX files of any exporter without ONNX Runtime and without a protobuf library: inputs and
 * outputs, and weights that are stored in a separate file. Files may be damaged or malicious.
 */
package io.flinkmoe.model.proto;
