// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * What was measured of an open window.
 *
 * @param window the open window
 * @param growing the window while it fills and when it closes
 * @param restore the restore of the full window
 * @param otherCpu the share of the machine's CPU time that other processes used meanwhile
 */
@Internal
record WindowResult(OpenWindow window, GrowingWindow growing, Restore restore, double otherCpu) {

    /**
     * All figures, with their marks.
     *
     * @param layers the number of layers
     * @param maxBytesPerToken the mark of the bytes per token
     * @param limit the tokens per second without Flink
     */
    List<Figure> figures(StateSetting setting, int layers, double maxBytesPerToken, double limit) {
        boolean incremental = setting.backend().isIncremental();
        double perToken = window.bytesPerToken(layers);
        double cameIn = perToken * layers;
        double compute = setting.tokens() / limit * 1000;
        return List.of(
                Figure.of("bytes_per_token", "checkpoint bytes per token and layer", perToken, 1)
                        .atMost(maxBytesPerToken),
                Figure.of(
                        "heap_bytes_per_token",
                        "heap bytes per waiting token",
                        window.heapBytesPerToken(),
                        1),
                Figure.of("full_bytes", "full checkpoint, bytes", window.full().stateBytes(), 0),
                Figure.of("full_ms", "full checkpoint, ms", window.full().millis(), 0),
                Figure.of(
                        "checkpoint_bytes",
                        incremental ? "incremental checkpoint, bytes" : "checkpoint, bytes",
                        growing.meanBytes(),
                        0),
                Figure.of(
                        "checkpoint_ms",
                        incremental ? "incremental checkpoint, ms" : "checkpoint, ms",
                        growing.meanMillis(),
                        0),
                Figure.of(
                        "increment",
                        "incremental bytes / bytes that came in, mean",
                        incremental ? growing.meanIncrement(cameIn) : Double.NaN,
                        2),
                Figure.of(
                                "max_increment",
                                "incremental bytes / bytes that came in, largest",
                                incremental ? growing.maxIncrement(cameIn) : Double.NaN,
                                2)
                        .atMost(StateSetting.MAX_INCREMENT),
                Figure.of("start_ms", "start without state, ms", growing.startMillis(), 0),
                Figure.of("restore_ms", "start from the checkpoint, ms", restore.millis(), 0),
                Figure.of(
                        "restore_s_per_gb",
                        "restore, s per GB",
                        restore.secondsPerGb(growing.startMillis()),
                        2),
                Figure.of("close_ms", "window's end to last answer, ms", growing.closeMillis(), 0),
                Figure.of(
                        "close_cpu_ms",
                        "CPU time from window's end to last answer, ms",
                        growing.closeCpuMillis(),
                        0),
                Figure.of("compute_ms", "the same tokens without Flink, ms", compute, 0),
                Figure.of(
                        "close_per_compute",
                        "window's end to last answer / without Flink",
                        growing.closeMillis() / compute,
                        2),
                Figure.of(
                        "other_cpu_percent",
                        "CPU time that other processes used meanwhile, %",
                        100 * otherCpu,
                        0));
    }
}
