// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ModelUse;
import org.apache.flink.annotation.Internal;

/**
 * How a model is called: the tensors that are used, its input [batch, inputWidth] and its output
 * [batch, outputWidth].
 *
 * @param input the name of the input; null for the only one
 * @param output the name of the output; null for the only one
 * @param rowByRow whether each row is a call of its own. That is slow, but a row of any model gets
 *     the same bits then, whatever other rows there are
 */
@Internal
public record ModelTensors(
        String input, int inputWidth, String output, int outputWidth, boolean rowByRow) {

    /** Tensors of a model that is called with many rows. */
    public ModelTensors(String input, int inputWidth, String output, int outputWidth) {
        this(input, inputWidth, output, outputWidth, false);
    }

    /** The only input and the only output of a model. */
    public static ModelTensors of(int inputWidth, int outputWidth) {
        return new ModelTensors(null, inputWidth, null, outputWidth);
    }

    /** The tensors that a bundle names. */
    public static ModelTensors of(ModelFile model, int inputWidth, int outputWidth) {
        return new ModelTensors(model.input(), inputWidth, model.output(), outputWidth);
    }

    /** The same tensors of a model that is called with one row at a time. */
    public ModelTensors asRows() {
        return new ModelTensors(input, inputWidth, output, outputWidth, true);
    }

    /** The tensors that a bundle names. */
    public static ModelTensors of(ModelUse use) {
        return of(use.model(), use.inputWidth(), use.outputWidth());
    }
}
