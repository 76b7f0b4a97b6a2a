// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import ai.onnxruntime.OrtException;
import java.nio.file.Path;
import org.apache.flink.annotation.Internal;

/** What an expert runs on rows: an {@link OnnxModel}, or nothing. */
@Internal
public interface ExpertModel {

    /** The width of the rows that it reads. */
    int inputWidth();

    /** The width of the rows that it writes. */
    int outputWidth();

    /** Where the model is, for messages. */
    Path file();

    /**
     * Runs on the first {@code rows} rows of {@code input}; fills those of {@code output}. Several
     * threads may call it at once.
     */
    void run(DirectRows input, DirectRows output, int rows) throws OrtException;

    /** An expert that answers with its input. */
    static ExpertModel identity(int width) {
        return new ExpertModel() {
            @Override
            public int inputWidth() {
                return width;
            }

            @Override
            public int outputWidth() {
                return width;
            }

            @Override
            public Path file() {
                return Path.of("identity");
            }

            @Override
            public void run(DirectRows input, DirectRows output, int rows) {
                input.copyColumns(0, output, rows);
            }
        };
    }
}
