// SPDX-License-Identifier: Apache-2.0
/** Makes bundles from a folder of ONNX parts and plain PyTorch state dicts. */
package io.flinkmoe.model.parts;
