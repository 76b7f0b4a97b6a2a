// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import com.fasterxml.jackson.core.JsonPointer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.scoring.cli.TextTable;
import io.flinkmoe.tools.statistics.FiguresFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * Reports the figures: tables per setting on the terminal, and all as JSON. The file is written
 * after each setting, so that no result is lost.
 */
@Internal
final class StateReport {

    private final FiguresFile file;
    private final PrintWriter out;

    /**
     * @param file the JSON file
     */
    StateReport(Path file, PrintWriter out) {
        this.file = new FiguresFile(file);
        this.out = out;
    }

    /** Adds windows that close, and where the longest checkpoint spent its time. */
    void add(StateSetting setting, ClosingWindows closing) throws IOException {
        add(setting, closing.figures());
        longest(setting, closing);
        out.flush();
        file.save();
    }

    /** Adds an open window: its figures, and where the bytes went. */
    void add(StateSetting setting, List<Figure> figures, WindowResult result) throws IOException {
        add(setting, figures);
        Map<String, Double> bytes = result.window().bytesPerTokenByTask();
        TextTable table = new TextTable("checkpoint bytes per token", ">");
        ObjectNode json = json(setting).putObject("bytes_per_token_by_task");
        bytes.forEach(
                (task, perToken) -> {
                    table.row(task, "%,.1f".formatted(perToken));
                    json.put(task, perToken);
                });
        print(table);
        parts(setting, result.growing());
        out.flush();
        file.save();
    }

    private void add(StateSetting setting, List<Figure> figures) throws IOException {
        TextTable table = new TextTable(setting.toString(), ">measured", "mark");
        ObjectNode json = json(setting);
        ArrayNode missed = json.withArray("missed");
        for (Figure figure : figures) {
            table.row(figure.label(), figure.text(), figure.markText());
            if (!Double.isNaN(figure.value())) {
                json.put(figure.key(), figure.value());
            }
            if (figure.isMissed()) {
                missed.add(figure.key());
            }
        }
        print(table);
        out.flush();
        file.save();
    }

    /** Shows the checkpoints of the growing window one by one. */
    private void parts(StateSetting setting, GrowingWindow growing) {
        TextTable table = new TextTable(">tokens", ">checkpoint, bytes", ">ms");
        ArrayNode json = json(setting).putArray("checkpoints");
        int tokens = 0;
        for (CheckpointTimes checkpoint : growing.checkpoints()) {
            tokens += growing.part();
            table.row(
                    "%,d".formatted(tokens),
                    "%,d".formatted(checkpoint.bytes()),
                    "%,d".formatted(checkpoint.millis()));
            json.addObject()
                    .put("tokens", tokens)
                    .put("bytes", checkpoint.bytes())
                    .put("ms", checkpoint.millis());
        }
        print(table);
    }

    private void longest(StateSetting setting, ClosingWindows closing) {
        CheckpointTimes longest = closing.longest();
        TextTable table =
                new TextTable(
                        "longest %s checkpoint, ms".formatted(closing.part()),
                        ">start delay",
                        ">alignment",
                        ">sync",
                        ">async",
                        ">total",
                        ">bytes",
                        ">in flight");
        ObjectNode json = json(setting).putObject("longest_%s_by_task".formatted(closing.part()));
        for (CheckpointTimes.Task task : longest.tasks()) {
            table.row(
                    task.name() + (task.acknowledged() ? "" : " (not ended)"),
                    "%,d".formatted(task.startDelay()),
                    "%,d".formatted(task.alignment()),
                    "%,d".formatted(task.sync()),
                    "%,d".formatted(task.async()),
                    "%,d".formatted(task.total()),
                    "%,d".formatted(task.bytes()),
                    "%,d".formatted(task.inFlight()));
            json.putObject(task.name())
                    .put("start_delay_ms", task.startDelay())
                    .put("alignment_ms", task.alignment())
                    .put("sync_ms", task.sync())
                    .put("async_ms", task.async())
                    .put("total_ms", task.total())
                    .put("bytes", task.bytes());
        }
        print(table);
        if (closing.failed() > 0) {
            out.printf("  %,d checkpoints failed.%n", closing.failed());
        }
    }

    private ObjectNode json(StateSetting setting) {
        JsonPointer path =
                JsonPointer.compile(
                        "/state/%s/%s/%d"
                                .formatted(
                                        setting.shape().name(),
                                        setting.backend(),
                                        setting.tokens()));
        // The number is a name, not an index.
        return file.root().withObject(path, JsonNode.OverwriteMode.NULLS, false);
    }

    private void print(TextTable table) {
        out.println();
        out.print(table);
    }
}
