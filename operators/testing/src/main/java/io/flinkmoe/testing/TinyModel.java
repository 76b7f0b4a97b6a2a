// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.routing.RoutingConfig;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * The content of a {@link TinyBundle}.
 *
 * @param routing the routing of every layer
 * @param layers the number of MoE layers
 * @param inputSize the width of a token's values
 * @param hiddenSize the width inside the layers
 * @param outputSize the width of a result
 * @param identityRouter whether the hidden vector is used as router logits
 * @param experts the model of every expert; null for random weights
 * @param expertsByNumber replaces the models of single experts
 * @param encoder an ONNX model; null: a linear one, or none if input size and hidden size are equal
 * @param seed the seed of all random weights
 */
@Internal
record TinyModel(
        RoutingConfig routing,
        int layers,
        int inputSize,
        int hiddenSize,
        int outputSize,
        boolean identityRouter,
        ExpertModel experts,
        Map<Integer, ExpertModel> expertsByNumber,
        byte[] encoder,
        long seed) {}
