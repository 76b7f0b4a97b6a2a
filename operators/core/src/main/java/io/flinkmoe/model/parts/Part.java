// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.OnnxShapes;
import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.model.graph.MlpGraph;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** A model that becomes a file of the bundle: an {@link Onnx} file or layers of a state dict. */
@Internal
interface Part {

    /** The width of its input, or {@link OnnxShapes#UNKNOWN} if the file leaves it open. */
    int inputWidth();

    /** The width of its output, or {@link OnnxShapes#UNKNOWN} if the file leaves it open. */
    int outputWidth();

    /** The file that the user gave. */
    Path source();

    /**
     * Writes the model.
     *
     * @param file its path in the bundle
     * @return how model.json names it
     */
    ModelFile write(BundleWriter writer, String file) throws IOException;

    /**
     * An ONNX file. Weights that are stored beside it move into the file of the bundle.
     *
     * @param input the name of the input as the manifest gives it; null for the only one
     * @param output the same of the output
     */
    record Onnx(Path source, String input, String output, OnnxShapes shapes) implements Part {

        static Onnx read(Path path, String input, String output) throws IOException {
            Onnx part = new Onnx(path, input, output, OnnxShapes.readPart(path, input, output));
            part.content(); // A missing file of weights is found before anything is written.
            return part;
        }

        private FileContent content() throws IOException {
            return BundleWriter.contentOf(source);
        }

        @Override
        public int inputWidth() {
            return shapes.inputWidth();
        }

        @Override
        public int outputWidth() {
            return shapes.outputWidth();
        }

        @Override
        public ModelFile write(BundleWriter writer, String file) throws IOException {
            writer.add(file, content());
            return new ModelFile(file, input, output);
        }
    }

    /**
     * Linear layers of a state dict with activations between them. Weights are read when the model
     * is written, so that the memory does not grow with the number of experts.
     */
    record Layers(StateDict dict, List<StateDict.Linear> linears) implements Part {

        @Override
        public Path source() {
            return dict.path();
        }

        @Override
        public int inputWidth() {
            return linears.get(0).in();
        }

        @Override
        public int outputWidth() {
            return linears.get(linears.size() - 1).out();
        }

        @Override
        public ModelFile write(BundleWriter writer, String file) throws IOException {
            List<MlpGraph.Layer> layers = new ArrayList<>();
            for (StateDict.Linear linear : linears) {
                layers.add(dict.read(linear));
            }
            writer.add(file, MlpGraph.of("layers", layers));
            return ModelFile.of(file);
        }
    }
}
