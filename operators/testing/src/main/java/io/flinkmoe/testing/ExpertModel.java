// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import org.apache.flink.annotation.PublicEvolving;

/** Creates the ONNX model of an expert. {@link FixedExperts} has common ones. */
@PublicEvolving
@FunctionalInterface
public interface ExpertModel {

    /**
     * Creates a model with one input and one output [batch, width], both float32.
     *
     * @param expert the number of the expert, from 0
     * @param width the hidden size
     */
    byte[] onnx(int expert, int width);
}
