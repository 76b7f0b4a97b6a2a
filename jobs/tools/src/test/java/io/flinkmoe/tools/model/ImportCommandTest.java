// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Program;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** With the demo's checkpoint, which has one layer. */
class ImportCommandTest {

    @TempDir private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"0", "0-0", "0,0"})
    void importsTheLayersThatAreListed(String layers) {
        Program program = importLayers(layers);

        assertThat(program.err()).isEmpty();
        assertThat(program.exitCode()).isZero();
        assertThat(folder.resolve("bundle/layers/0/router.onnx")).exists();
        assertThat(folder.resolve("bundle/layers/1").toFile().exists())
                .isEqualTo(layers.contains(","));
    }

    @Test
    void aLayerThatIsNotThereFailsAndSaysWhichAre() {
        Program program = importLayers("0-2");

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err())
                .contains("there is no layer 1; the checkpoint has the MoE layers 0 to 0");
        assertThat(folder).isEmptyDirectory();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "first", "0,", "2-1", "-1", "0;1", "99999"})
    void layersThatAreNoListAreWrongUse(String layers) {
        Program program = importLayers(layers);

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err()).contains("--layers is '" + layers + "'; allowed: numbers");
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void theBundleGoesIntoAnEmptyFolder() throws Exception {
        Files.createDirectory(folder.resolve("bundle"));

        assertThat(importLayers("0").exitCode()).isZero();
        assertThat(folder.resolve("bundle/model.json")).exists();
        assertThat(folder.resolve("bundle/.incomplete")).doesNotExist();
    }

    @Test
    void aCheckpointThatCannotBeImportedIsOneLine() throws Exception {
        Files.writeString(folder.resolve("config.json"), "{\"model_type\": \"mixtral\"}");
        Files.writeString(folder.resolve("pytorch_model.bin"), "");

        Program program =
                Program.run("import", "--checkpoint", folder, "--output", folder.resolve("out"));

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err().lines().findFirst().orElseThrow())
                .startsWith("moe: " + folder + ": the directory contains neither")
                .contains("It contains PyTorch files (pytorch_model.bin)");
    }

    /** Before the layers are written, which can take hours. */
    @Test
    void aHeadThatCannotBeOpenedIsNamedBeforeAnythingIsWritten() throws Exception {
        Path checkpoint = folder.resolve("c");
        writeSparse(checkpoint, 4096, 4096);
        Path head = folder.resolve("mine.onnx");
        byte[] onnx = FixedExperts.numbered().onnx(1, 4096);
        onnx[1] = 99; // The version of the format.
        Files.write(head, onnx);

        Program program =
                Program.run(
                        "import",
                        "--checkpoint",
                        checkpoint,
                        "--head",
                        head,
                        "--output",
                        folder.resolve("b"));

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err())
                .startsWith("moe: " + head + ": ONNX Runtime cannot open it")
                .doesNotContain("wrote");
        assertThat(folder.resolve("b")).doesNotExist();
    }

    @ParameterizedTest
    @CsvSource({
        "--encoder, nofile.onnx, there is no such file",
        "--head, ., it is a folder; expected a file"
    })
    void aModelThatIsNoFileIsNamedWithTheReason(String option, String file, String reason) {
        Program program =
                Program.run(
                        "import",
                        "--checkpoint",
                        Home.FLIGHTS.resolve("checkpoint"),
                        option,
                        folder.resolve(file),
                        "--output",
                        folder.resolve("bundle"));

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err()).startsWith("moe: " + folder.resolve(file) + ": " + reason);
        assertThat(folder).isEmptyDirectory();
    }

    /** One expert of 200 MB, a sparse file. */
    @Test
    void aLongImportShowsItsProgress() throws Exception {
        Path checkpoint = folder.resolve("c");
        writeSparse(checkpoint, 4096, 4096);

        Program program =
                Program.run("import", "--checkpoint", checkpoint, "--output", folder.resolve("b"));

        assertThat(program.exitCode()).as(program.err()).isZero();
        List<String> lines = program.err().lines().toList();
        assertThat(lines.get(0)).isEqualTo("wrote 0 of 201 MB");
        assertThat(lines.get(lines.size() - 1))
                .isEqualTo("wrote 201 of 201 MB; checking the bundle");
    }

    private static void writeSparse(Path checkpoint, int d, int h) throws IOException {
        Files.createDirectories(checkpoint);
        Files.writeString(
                checkpoint.resolve("config.json"),
                """
                {"model_type": "mixtral", "hidden_size": %d, "intermediate_size": %d,
                 "num_hidden_layers": 1, "num_local_experts": 1, "num_experts_per_tok": 1}"""
                        .formatted(d, h));
        String moe = "model.layers.0.block_sparse_moe.";
        long matrix = 2L * d * h;
        long router = 2L * d;
        String header =
                """
                {"%sgate.weight":{"dtype":"BF16","shape":[1,%d],"data_offsets":[0,%d]},\
                "%sexperts.gate_up_proj":{"dtype":"BF16","shape":[1,%d,%d],"data_offsets":[%d,%d]},\
                "%sexperts.down_proj":{"dtype":"BF16","shape":[1,%d,%d],"data_offsets":[%d,%d]}}"""
                        .formatted(
                                moe,
                                d,
                                router,
                                moe,
                                2 * h,
                                d,
                                router,
                                router + 2 * matrix,
                                moe,
                                d,
                                h,
                                router + 2 * matrix,
                                router + 3 * matrix);
        Path path = checkpoint.resolve("model.safetensors");
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.write(
                    ByteBuffer.allocate(8)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putLong(header.length())
                            .array());
            file.writeBytes(header);
            file.setLength(8 + header.length() + router + 3 * matrix);
        }
    }

    @Test
    void theListNamesEveryFamilyAndWhyOneIsRefused() {
        assertThat(Program.run("import", "--list").out())
                .contains("gpt_oss", "gpt-oss-20b, gpt-oss-120b", "kimi_k2")
                .contains("no: several residual streams are mixed by learned weights");
    }

    @Test
    void theReportSaysWhatALayerDoes() {
        assertThat(importLayers("0").out())
                .containsPattern("layer 0: softmax top-2 of 8, renormalised; SwiGLU 64 → \\d+");
    }

    @Test
    void weightsMayTakeHalfTheSpaceButNotLess() {
        String checkpoint = Home.FLIGHTS.resolve("checkpoint").toString();
        String bundle = folder.resolve("bundle").toString();

        assertThat(importWith(checkpoint, bundle, "int8").err())
                .contains("--weights", "'int8' changes the answers by some percent");
        assertThat(importWith(checkpoint, bundle, "bfloat16").out()).contains("SwiGLU 64");
    }

    private static Program importWith(String checkpoint, String bundle, String weights) {
        return Program.run(
                "import", "--checkpoint", checkpoint, "--output", bundle, "--weights", weights);
    }

    @Test
    void theHelpSaysWhatIsNotImported() {
        assertThat(Program.run("import", "--help").out().replaceAll("\\s+", " "))
                .contains("a bundle of several layers of a language model is not the language");
    }

    private Program importLayers(String layers) {
        return Program.run(
                "import",
                "--checkpoint",
                Home.FLIGHTS.resolve("checkpoint"),
                "--layers=" + layers,
                "--output",
                folder.resolve("bundle"));
    }
}
