// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.column.OutputRows;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.layer.ModelHead;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;

/** The head of a bundle over any number of tokens. */
@Internal
record ReferenceHead(ModelHead head, ColumnLayout layout, int width) {

    static ReferenceHead of(BundleSessions sessions) throws BundleException {
        return new ReferenceHead(
                ModelHead.of(sessions, ReferenceLayer.MAX_ROWS),
                sessions.spec().outputLayout(),
                sessions.spec().lastSize());
    }

    /**
     * Runs T tokens. Tokens for which the head's output is not finite are added to the rejected
     * ones. What is rejected or absent is cleared.
     *
     * @param vectors [T, output size of the last layer]
     */
    OutputRows run(float[] vectors, TokenMetadata metadata, String[] rejected, boolean[] absent)
            throws OrtException {
        int tokens = metadata.tokens();
        OutputRows all =
                new OutputRows(
                        layout,
                        new byte[tokens * layout.words() * Integer.BYTES],
                        new String[tokens * layout.strings()]);
        for (int from = 0; from < tokens; from += ReferenceLayer.MAX_ROWS) {
            int rows = Math.min(ReferenceLayer.MAX_ROWS, tokens - from);
            float[] block = Arrays.copyOfRange(vectors, from * width, (from + rows) * width);
            OutputRows outputs = head.run(Floats.toBytes(block), rows);
            for (int row = 0; row < rows; row++) {
                boolean isHead = !(head instanceof ModelHead.None) && !absent[from + row];
                if (isHead && rejected[from + row] == null && !outputs.isFinite(row)) {
                    rejected[from + row] =
                            "the head's output for position %d of stream %s is not finite"
                                    .formatted(
                                            metadata.positions()[from + row],
                                            metadata.streams()[from + row]);
                }
                boolean isRejected = rejected[from + row] != null;
                absent[from + row] &= !isRejected;
                if (isRejected || absent[from + row]) {
                    all.clear(from + row);
                } else {
                    all.set(from + row, outputs.row(row));
                }
            }
        }
        return all;
    }
}
