// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import io.flinkmoe.config.ExpertBatching;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.ExpertModel;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * The buffers of one call: its input [batch, in] and output [batch, out] in direct memory, and a
 * copy of the output on the heap, from which Flink serializes. Experts of equal widths that run in
 * one thread share them: {@link Shared}.
 */
@Internal
public final class CallBuffers {

    final DirectRows input;
    final DirectRows results;
    final byte[] outputs;
    final boolean padding;

    private CallBuffers(ExpertBatching batching, int inputWidth, int outputWidth) {
        input = new DirectRows(batching.size(), inputWidth);
        results = new DirectRows(batching.size(), outputWidth);
        outputs = new byte[batching.size() * outputWidth * Float.BYTES];
        padding = batching.padding();
    }

    /** The largest number of rows of a call. */
    int maxRows() {
        return input.maxRows();
    }

    /** The buffers of the experts that run in one thread. */
    public static final class Shared {

        private record Widths(int input, int output) {}

        private final ExpertBatching batching;
        private final Map<Widths, CallBuffers> buffers = new HashMap<>();

        public Shared(ExpertBatching batching) {
            this.batching = batching;
        }

        /** Returns the buffers for calls of a model. */
        public CallBuffers of(ExpertModel model) {
            Widths widths = new Widths(model.inputWidth(), model.outputWidth());
            return buffers.computeIfAbsent(
                    widths, w -> new CallBuffers(batching, w.input, w.output));
        }
    }
}
