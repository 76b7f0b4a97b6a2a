// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.OnnxShapes;
import io.flinkmoe.model.proto.GraphSignature;
import io.flinkmoe.model.proto.GraphTensor;
import java.io.IOException;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;

/**
 * An ONNX file of which one side may have any number of tensors of any type: the inputs of an
 * encoder, or the outputs of a head.
 *
 * @param input the name of the input of vectors as the manifest gives it; null for the only one
 * @param output the same of the output
 * @param inputWidth the width of the vectors that a head reads; else unknown
 * @param outputWidth the width of the vectors that an encoder gives; else unknown
 */
@Internal
record GraphPart(
        Path source,
        String input,
        String output,
        GraphSignature signature,
        int inputWidth,
        int outputWidth)
        implements Part {

    /** Reads an encoder, whose output is a vector. */
    static GraphPart encoder(Path path, String input, String output) throws IOException {
        BundleWriter.contentOf(
                path); // A missing file of weights is found before anything is written.
        GraphSignature signature = OnnxShapes.signature(path);
        GraphTensor chosen = OnnxShapes.chosen(path, "output", output, signature.outputs());
        int width = OnnxShapes.width(path, "output", chosen);
        return new GraphPart(path, input, output, signature, OnnxShapes.UNKNOWN, width);
    }

    /** Reads a head, whose input is a vector. */
    static GraphPart head(Path path, String input, String output) throws IOException {
        BundleWriter.contentOf(path);
        GraphSignature signature = OnnxShapes.signature(path);
        GraphTensor chosen = OnnxShapes.chosen(path, "input", input, signature.inputs());
        int width = OnnxShapes.width(path, "input", chosen);
        return new GraphPart(path, input, output, signature, width, OnnxShapes.UNKNOWN);
    }

    GraphTensor chosenOutput() throws BundleException {
        return OnnxShapes.chosen(source, "output", output, signature.outputs());
    }

    @Override
    public ModelFile write(BundleWriter writer, String file) throws IOException {
        writer.add(file, BundleWriter.contentOf(source));
        return new ModelFile(file, input, output);
    }
}
