// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.config.ExpertBatching;
import io.flinkmoe.onnx.DirectRows;
import org.apache.flink.annotation.Internal;

/**
 * The buffers of one call: its input [batch, d] and output [batch, d] in direct memory, and a copy
 * of the output on the heap, from which Flink serializes. Experts that run in one thread share
 * them.
 */
@Internal
public final class CallBuffers {

    final DirectRows input;
    final DirectRows results;
    final byte[] outputs;
    final boolean padding;

    /**
     * @param d the width of a row
     */
    public CallBuffers(ExpertBatching batching, int d) {
        input = new DirectRows(batching.size(), d);
        results = new DirectRows(batching.size(), d);
        outputs = new byte[batching.size() * d * Float.BYTES];
        padding = batching.padding();
    }

    /** The largest number of rows of a call. */
    int maxRows() {
        return input.maxRows();
    }
}
