package io.flinkmoe.config;

import io.flinkmoe.capacity.Admission;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import java.io.IOException;
import java.nio.file.Files;
import org.apache.flink.annotation.Experimental;

/**
 * What the layers of a bundle take up, estimated before they run. All sizes are in bytes.
 *
 * @param spec the bundle's content
 * @param sessions models, each opened once per process
 * @param sessionBytes native memory of a process that has opened all models: as large as their
 *     files, since ONNX Runtime lays out each weight anew once and lets go of what it read, and
 *     0.25 MB for each session
 * @param directBytes direct buffers of a slot that runs a subtask of every operator, outside the
 *     heap: what a call reads and writes
 * @param windowBytesPerToken state of an open window for each of its tokens, over all layers: its k
 *     rows at the experts and the one at the combine, (k + 1) · d · 4 each; 0 unless admission is
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

    /** The footprint under some settings, with blocks of {@code blockRows} tokens. */
    public static Footprint of(Bundle bundle, MoeSettings settings, int blockRows)
            throws IOException {
        BundleSpec spec = bundle.spec();
        long sessionBytes = 0;
        for (String file : spec.files()) {
            sessionBytes += Files.size(bundle.file(file)) + SESSION_OVERHEAD;
        }
        long d = spec.hiddenSize();
        long floats = 0;
        long windowFloats = 0;
        for (LayerSpec layer : spec.layers()) {
            int n = layer.routing().numExperts();
            // The router: what it reads, what its shared experts or norm give, the logits.
            floats += blockRows * (Math.max(spec.inputSize(), d) + 2 * d + n);
            // The experts of a subtask share a buffer in and one out, in each round.
            floats += settings.attempts() * 2 * settings.expertBatching().size() * d;
            windowFloats += (layer.routing().numExpertsPerTok() + 1) * d;
        }
        floats += spec.head() == null ? 0 : blockRows * (d + spec.outputSize());
        boolean holds =
                settings.capacity() != null
                        && settings.capacity().admission() == Admission.PRIORITIZED;
        return new Footprint(
                spec,
                spec.files().size(),
                sessionBytes,
                floats * Float.BYTES,
                holds ? windowFloats * Float.BYTES : 0);
    }

    /** State of an open window of {@code tokens} tokens. */
    public long windowBytes(long tokens) {
        return windowBytesPerToken * tokens;
    }

    /** What {@code taskmanager.memory.task.off-heap.size} should at least be. */
    public long offHeapBytes(int slots) {
        return sessionBytes + slots * directBytes;
    }
}
