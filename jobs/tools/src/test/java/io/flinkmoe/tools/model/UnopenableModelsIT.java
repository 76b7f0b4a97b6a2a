// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.testing.TinyBundle;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Program;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A model of a version that ONNX Runtime does not know, in each command that checks bundles. */
class UnopenableModelsIT {

    private static final String WORDS = "Unsupported model IR version: 99";

    @TempDir private Path folder;

    private static byte[] ofTheFuture(byte[] onnx) {
        byte[] copy = onnx.clone();
        copy[1] = 99; // The first field of the file is its version.
        return copy;
    }

    @Test
    void inspectFailsWithTheWordsOfOnnxRuntime() {
        TinyBundle.builder()
                .expert(1, (expert, width) -> ofTheFuture(FixedExperts.numbered().onnx(1, width)))
                .writeTo(folder.resolve("bundle"));

        Program program = Program.run("inspect", folder.resolve("bundle"));

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err()).contains("experts/1.onnx: ONNX Runtime cannot open it", WORDS);
        assertThat(program.out()).isEmpty();
    }

    @Test
    void importFailsAndLeavesNothing() throws Exception {
        Path head = folder.resolve("head.onnx");
        Files.write(head, ofTheFuture(Files.readAllBytes(Home.FLIGHTS.resolve("head.onnx"))));

        Program program =
                Program.run(
                        "import",
                        "--checkpoint",
                        Home.FLIGHTS.resolve("checkpoint"),
                        "--head",
                        head,
                        "--output",
                        folder.resolve("out/bundle"));

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err()).contains(head + ": ONNX Runtime cannot open it", WORDS);
        assertThat(folder.resolve("out")).doesNotExist();
    }

    @Test
    void importAndInspectRecordWhatTheyOpened() throws Exception {
        Path bundle = folder.resolve("bundle");
        Program imported =
                Program.run(
                        "import",
                        "--checkpoint",
                        Home.FLIGHTS.resolve("checkpoint"),
                        "--output",
                        bundle);
        byte[] record = Files.readAllBytes(bundle.resolve("opened.json"));
        Files.delete(bundle.resolve("opened.json"));
        Program inspected = Program.run("inspect", bundle);

        assertThat(imported.err()).isEmpty();
        assertThat(imported.out()).contains("opened 2 models; opened.json records them.");
        assertThat(inspected.out()).isEqualTo(imported.out());
        assertThat(bundle.resolve("opened.json")).hasBinaryContent(record);
    }
}
