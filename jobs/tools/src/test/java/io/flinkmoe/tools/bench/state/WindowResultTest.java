// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.tools.bench.contenders.Shape;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WindowResultTest {

    private static final Shape SHAPE = new Shape("small", 8, 16, 4, 2);
    private static final StateSetting ROCKSDB = new StateSetting(SHAPE, Backend.ROCKSDB, 1000);
    private static final StateSetting HEAP = new StateSetting(SHAPE, Backend.HEAP, 1000);

    /** 1,000 tokens have added 40,000 bytes to the dispatch and 10,000 to the admission. */
    private static final WindowResult RESULT =
            new WindowResult(
                    new OpenWindow(
                            1000,
                            checkpoint(1, 0, 10, 500, task("dispatch-0", 100), task("head", 400)),
                            checkpoint(
                                    2,
                                    0,
                                    10,
                                    50_500,
                                    task("admission-0", 10_000),
                                    task("dispatch-0", 40_100),
                                    task("head", 400)),
                            70_000),
                    new GrowingWindow(
                            300,
                            List.of(checkpoint(3, 0, 10, 20_000), checkpoint(4, 0, 30, 40_000)),
                            500,
                            "chk-4",
                            400,
                            600),
                    new Restore(800, 50_000_000),
                    0.25);

    private static final ClosingWindows ALIGNED = closing(Part.ALIGNED, 1001);
    private static final ClosingWindows UNALIGNED = closing(Part.UNALIGNED, 1000);

    @TempDir private Path folder;

    @Test
    void theBytesOfAWindowAreThoseAboveTheEmptyJobs() {
        Map<String, Figure> figures = figures(ROCKSDB, 1);

        assertThat(figures.get("bytes_per_token").value()).isEqualTo(50);
        assertThat(figures.get("heap_bytes_per_token").value()).isEqualTo(70);
        assertThat(figures(ROCKSDB, 2).get("bytes_per_token").value()).isEqualTo(25);
        assertThat(RESULT.window().bytesPerTokenByTask())
                .containsOnly(Map.entry("admission-0", 10.0), Map.entry("dispatch-0", 40.0));
    }

    @Test
    void anIncrementIsComparedWithWhatCameIn() {
        Map<String, Figure> figures = figures(ROCKSDB, 2);

        // 25,000 bytes have come in before each checkpoint, however many layers there are.
        assertThat(figures.get("increment").value()).isCloseTo(1.2, within(1e-9));
        assertThat(figures.get("max_increment").value()).isCloseTo(1.6, within(1e-9));
        assertThat(figures(HEAP, 1).get("max_increment").value()).isNaN();
    }

    @Test
    void aRestoreIsCountedWithoutTheStart() {
        assertThat(figures(ROCKSDB, 1).get("restore_s_per_gb").value()).isCloseTo(10, within(1e-9));
    }

    @Test
    void theCloseIsComparedWithTheSameTokensWithoutFlink() {
        // 1,000 tokens at 5,000 tokens/s take 200 ms.
        assertThat(figures(ROCKSDB, 1).get("close_per_compute").value()).isCloseTo(2, within(1e-9));
    }

    @Test
    void reportsWhichMarksAreMissed() throws Exception {
        Path file = folder.resolve("figures.json");
        StringWriter out = new StringWriter();
        StateReport report = new StateReport(file, new PrintWriter(out, true));

        report.add(ROCKSDB, RESULT.figures(ROCKSDB, 1, 50, 5000), RESULT);
        report.add(ROCKSDB, ALIGNED);
        report.add(ROCKSDB, UNALIGNED);
        report.add(HEAP, RESULT.figures(HEAP, 1, 49.9, 5000), RESULT);
        report.add(HEAP, UNALIGNED);

        JsonNode small = new ObjectMapper().readTree(file.toFile()).at("/state/small");
        assertThat(texts(small.at("/rocksdb/1000/missed")))
                .containsExactly("max_increment", "longest_aligned_ms");
        assertThat(texts(small.at("/heap/1000/missed"))).containsExactly("bytes_per_token");
        assertThat(small.at("/rocksdb/1000/bytes_per_token").asDouble()).isEqualTo(50);
        assertThat(small.at("/heap/1000").has("max_increment")).isFalse();
        assertThat(out.toString())
                .contains("<= 50.0, met", "<= 49.9, MISSED", "<= 1,000, met", "<= 1,000, MISSED");
    }

    @Test
    void aCheckpointBelongsToAMeasurementIfItEndsWithinIt() {
        CheckpointTimes before = checkpoint(1, 100, 50, 0);
        CheckpointTimes across = checkpoint(2, 150, 90, 0);
        CheckpointTimes within = checkpoint(3, 240, 80, 0);
        List<CheckpointTimes> all = List.of(before, across, within);

        assertThat(CheckpointTimes.since(all, 200)).containsExactly(across, within);
        assertThat(CheckpointTimes.longest(all)).isEqualTo(across);
    }

    @Test
    void tasksAreNamedAfterTheOperatorsOfTheLayers() {
        assertThat(CheckpointTimes.shortName("moe-combine-0 -> moe-head -> answers: Writer"))
                .isEqualTo("combine-0+head");
        assertThat(CheckpointTimes.shortName("Source: numbers")).isEqualTo("Source: numbers");
    }

    private static ClosingWindows closing(Part part, long longest) {
        return new ClosingWindows(part, 5000, checkpoint(5, 0, longest, 10), 3, 200, 0, 0.25);
    }

    private static Map<String, Figure> figures(StateSetting setting, int layers) {
        return RESULT.figures(setting, layers, 50, 5000).stream()
                .collect(Collectors.toMap(Figure::key, figure -> figure));
    }

    private static CheckpointTimes checkpoint(
            long id, long start, long millis, long bytes, CheckpointTimes.Task... tasks) {
        return new CheckpointTimes(id, start, millis, true, bytes, List.of(tasks));
    }

    private static CheckpointTimes.Task task(String name, long bytes) {
        return new CheckpointTimes.Task(name, true, 0, 0, 0, 0, 0, bytes, 0);
    }

    private static List<String> texts(JsonNode array) {
        List<String> texts = new ArrayList<>();
        array.forEach(text -> texts.add(text.asText()));
        return texts;
    }
}
