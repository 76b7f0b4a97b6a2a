// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import ai.onnxruntime.OrtException;
import io.flinkmoe.model.BundleException;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs a model once, because exporters declare shapes that their models do not keep: skl2onnx says
 * [batch, 1] of a forest with three targets.
 */
@Internal
final class ShapeProbe {

    private static final Logger LOG = LoggerFactory.getLogger(ShapeProbe.class);

    /** Not one, so that rows and columns cannot be confused. */
    private static final int ROWS = 2;

    private ShapeProbe() {}

    /**
     * Checks the shape of the output.
     *
     * @throws BundleException if it has another number of rows or columns than expected
     */
    static void check(OnnxModel model) throws BundleException {
        long[] found;
        try {
            found = model.outputShape(new DirectRows(ROWS, model.inputWidth()), ROWS);
        } catch (OrtException e) {
            // A model may refuse zeros. A call that fails is handled as moe.expert.on-error says.
            LOG.debug("{}: its output was not checked, as it cannot run zeros", model.file(), e);
            return;
        }
        int width = model.outputWidth();
        boolean isVector = found.length == 1 && width == 1;
        if (found.length == 0 || found[0] != ROWS) {
            throw wrong(
                    model,
                    found,
                    "it must have a row for each of them; a model that mixes rows cannot be used, so export it again, or give each target a model of its own");
        }
        if (!isVector && (found.length != 2 || found[1] != width)) {
            throw wrong(
                    model,
                    found,
                    "expected [%d, %d], as the file or model.json says; export the model with the width that it has: model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = %d"
                            .formatted(ROWS, width, found.length == 2 ? found[1] : 1));
        }
    }

    private static BundleException wrong(OnnxModel model, long[] found, String expected) {
        return new BundleException(
                model.file(),
                "its output '%s' is %s for %d rows; %s"
                        .formatted(model.outputName(), Arrays.toString(found), ROWS, expected));
    }
}
