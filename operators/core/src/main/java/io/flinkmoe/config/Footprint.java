// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.FileErrors;
import io.flinkmoe.model.LayerSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.annotation.Experimental;

/**
 * An estimate of the memory and state that the layers of a bundle need. All sizes are in bytes.
 *
 * @param spec the content of the bundle
 * @param sessions the number of models; each is opened once per process
 * @param sessionBytes native memory of a process that has opened all models: the size of their
 *     files, because ONNX Runtime copies each weight once into its own layout and frees what it
 *     read, plus 0.25 MB per session
 * @param directBytes direct buffers, outside the heap, of a slot that runs one subtask of every
 *     operator: the inputs and outputs of calls
 * @param windowBytesPerToken state of an open window per token: in each layer, 4 bytes at the
 *     dispatch for each value that the token carries past the experts, and for each that the
 *     experts read if that is something else, and about 100 bytes per choice; 0 unless admission is
 *     prioritized
 */
@Experimental
public record Footprint(
        BundleSpec spec,
        int sessions,
        long sessionBytes,
        long directBytes,
        long windowBytesPerToken) {

    private static final long SESSION_OVERHEAD = 1 << 18;

    /** What admission and dispatch keep of a choice: scores, times, names of streams, decisions. */
    private static final long CHOICE_BYTES = 100;

    /**
     * Estimates the footprint of a bundle with these settings.
     *
     * @param blockRows the maximum number of tokens in a block
     * @throws BundleException if a file of the bundle no longer exists
     */
    public static Footprint of(Bundle bundle, MoeSettings settings, int blockRows)
            throws BundleException {
        BundleSpec spec = bundle.spec();
        long sessionBytes = 0;
        for (String file : spec.files()) {
            sessionBytes += size(bundle.file(file)) + SESSION_OVERHEAD;
        }
        long floats = 0;
        long windowBytes = 0;
        for (LayerSpec layer : spec.layers()) {
            long in = layer.inputSize();
            long out = layer.outputSize();
            // The router: its input, the outputs of norm and shared experts, and the logits.
            long ofRouter = Math.max(spec.inputSize(), in) + in + out + layer.columns();
            ofRouter += layer.options().expertInput() == null ? 0 : layer.expertRowSize();
            floats += blockRows * ofRouter;
            // The experts of a subtask share the buffers of calls of equal widths.
            floats += settings.expertBatching().size() * layer.widthsOfCalls();
            long hidden = layer.expertsTakeTheResidual() ? 0 : layer.expertRowSize();
            windowBytes +=
                    (layer.carriedSize() + hidden) * Float.BYTES + layer.choices() * CHOICE_BYTES;
        }
        floats +=
                spec.head() == null ? 0 : (long) blockRows * (spec.lastSize() + spec.outputSize());
        boolean holdsTokens = settings.capacity().decidesAtClose(0);
        return new Footprint(
                spec,
                spec.files().size(),
                sessionBytes,
                floats * Float.BYTES,
                holdsTokens ? windowBytes : 0);
    }

    private static long size(Path file) throws BundleException {
        try {
            return Files.size(file);
        } catch (IOException e) {
            throw new BundleException(file, "its size cannot be read: " + FileErrors.reason(e), e);
        }
    }

    /** Returns the state of an open window with {@code tokens} tokens. */
    public long windowBytes(long tokens) {
        return windowBytesPerToken * tokens;
    }

    /**
     * Returns the minimum for {@code taskmanager.memory.task.off-heap.size}.
     *
     * @param slots the number of slots of the task manager
     */
    public long offHeapBytes(int slots) {
        return sessionBytes + slots * directBytes;
    }
}
