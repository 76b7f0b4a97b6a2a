// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import ai.onnxruntime.OrtException;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.OnnxShapes;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.OnnxModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/** ONNX files, checked as when a bundle is read. */
@Internal
abstract class OnnxTarget implements FuzzTarget {

    private Path file;

    /** Only the check, in Java. */
    static final class Shapes extends OnnxTarget {
        @Override
        void read(Path file) throws IOException {
            OnnxShapes.read(file);
        }
    }

    /** The check, followed by ONNX Runtime: the model is opened and run once. */
    static final class Runtime extends OnnxTarget {
        private static final int MAX_WIDTH = 4096;
        private static final int ROWS = 2;

        @Override
        void read(Path file) throws IOException {
            OnnxShapes shapes = OnnxShapes.read(file);
            int in = widthOf(shapes.inputWidth());
            int out = widthOf(shapes.outputWidth());
            try (OnnxModel model = OnnxModel.open(file, in, out)) {
                if (in <= MAX_WIDTH && out <= MAX_WIDTH) {
                    model.run(new DirectRows(ROWS, in), new DirectRows(ROWS, out), ROWS);
                }
            } catch (OrtException e) {
                // A failing run is allowed: jobs handle it according to moe.expert.on-error.
            }
        }

        private static int widthOf(int width) {
            return width == OnnxShapes.UNKNOWN ? TinyModels.D : width;
        }
    }

    abstract void read(Path file) throws IOException;

    @Override
    public final List<byte[]> open(Path dir) {
        file = dir.resolve("model.onnx");
        return TinyModels.onnx();
    }

    @Override
    public final void read(byte[] input) throws IOException {
        Files.write(file, input);
        read(file);
    }

    @Override
    public final Set<Class<? extends Exception>> rejections() {
        return Set.of(BundleException.class);
    }

    @Override
    public final boolean isProtobuf() {
        return true;
    }
}
