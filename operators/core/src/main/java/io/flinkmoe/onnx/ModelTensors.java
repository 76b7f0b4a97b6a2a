// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ModelUse;
import org.apache.flink.annotation.Internal;

/**
 * The tensors of a model that are used: its input [batch, inputWidth] and its output [batch,
 * outputWidth].
 *
 * @param input the name of the input; null for the only one
 * @param output the name of the output; null for the only one
 */
@Internal
public record ModelTensors(String input, int inputWidth, String output, int outputWidth) {

    /** The only input and the only output of a model. */
    public static ModelTensors of(int inputWidth, int outputWidth) {
        return new ModelTensors(null, inputWidth, null, outputWidth);
    }

    /** The tensors that a bundle names. */
    public static ModelTensors of(ModelFile model, int inputWidth, int outputWidth) {
        return new ModelTensors(model.input(), inputWidth, model.output(), outputWidth);
    }

    /** The tensors that a bundle names. */
    static ModelTensors of(ModelUse use) {
        return of(use.model(), use.inputWidth(), use.outputWidth());
    }
}
