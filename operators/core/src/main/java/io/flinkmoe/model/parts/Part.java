// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.OnnxShapes;
import io.flinkmoe.model.graph.MlpGraph;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** A model that becomes a file of the bundle: an {@link Onnx} file or layers of a state dict. */
@Internal
interface Part {

    /** The width of its input. */
    int inputWidth();

    /** The width of its output. */
    int outputWidth();

    /** Writes the model. */
    void write(BundleWriter writer, String file) throws IOException;

    /** An ONNX file, which is copied. */
    record Onnx(Path path, int inputWidth, int outputWidth) implements Part {

        static Onnx read(Path path) throws IOException {
            OnnxShapes shapes = OnnxShapes.read(path);
            return new Onnx(
                    path,
                    fixed(path, "input " + shapes.input(), shapes.inputWidth()),
                    fixed(path, "output " + shapes.output(), shapes.outputWidth()));
        }

        private static int fixed(Path path, String tensor, int width) throws BundleException {
            if (width == OnnxShapes.UNKNOWN) {
                throw new BundleException(
                        path,
                        "the width of its %s is not fixed; export the model with a fixed width"
                                .formatted(tensor));
            }
            return width;
        }

        @Override
        public void write(BundleWriter writer, String file) throws IOException {
            writer.copy(file, path);
        }
    }

    /**
     * Linear layers of a state dict with activations between them. Weights are read when the model
     * is written, so that the memory does not grow with the number of experts.
     */
    record Layers(StateDict dict, List<StateDict.Linear> linears) implements Part {

        @Override
        public int inputWidth() {
            return linears.get(0).in();
        }

        @Override
        public int outputWidth() {
            return linears.get(linears.size() - 1).out();
        }

        @Override
        public void write(BundleWriter writer, String file) throws IOException {
            List<MlpGraph.Layer> layers = new ArrayList<>();
            for (StateDict.Linear linear : linears) {
                layers.add(dict.read(linear));
            }
            writer.add(file, MlpGraph.of("layers", layers));
        }
    }
}
