// SPDX-License-Identifier: Apache-2.0
/** Writes ONNX models: experts, routers and norms from weights. Nothing here runs a model. */
package io.flinkmoe.model.graph;
