// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.util.Map;

/** Runs an ONNX model with ONNX Runtime, for tests. */
final class OnnxRunner {

    private OnnxRunner() {}

    /** The output of a model for rows of the given width, row-major. */
    static float[] run(byte[] model, float[] rows, int width) throws OrtException {
        OrtEnvironment env = OrtEnvironment.getEnvironment();
        long[] shape = {rows.length / width, width};
        try (OrtSession session = env.createSession(model);
                OnnxTensor in = OnnxTensor.createTensor(env, FloatBuffer.wrap(rows), shape);
                OrtSession.Result out =
                        session.run(Map.of(session.getInputNames().iterator().next(), in))) {
            return ((OnnxTensor) out.get(0)).getFloatBuffer().array();
        }
    }
}
