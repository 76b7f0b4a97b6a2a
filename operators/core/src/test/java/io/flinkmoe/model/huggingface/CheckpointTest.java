// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.packed.MatrixView;
import io.flinkmoe.tensor.FloatBlocks;
import io.flinkmoe.tensor.SafetensorsException;
import io.flinkmoe.tensor.SafetensorsWriter;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointTest {
    @TempDir Path dir;

    @BeforeEach
    void writeConfig() throws Exception {
        Files.writeString(
                dir.resolve("config.json"), "{\"n\": 3, \"act\": \"silu\", \"eps\": 0.5}");
    }

    @Test
    void readsASingleFile() throws Exception {
        writeTensor("model.safetensors", "a.weight");

        try (Checkpoint checkpoint = Checkpoint.open(dir)) {
            assertThat(checkpoint.contains("a.weight")).isTrue();
            assertThat(checkpoint.contains("b.weight")).isFalse();
            assertThat(checkpoint.floats("a.weight", 1, 2)).containsExactly(1, 2);
        }
    }

    @Test
    void readsTheShardsOfAnIndex() throws Exception {
        writeTensor("model-00001-of-00002.safetensors", "a.weight");
        writeTensor("model-00002-of-00002.safetensors", "b.weight");
        writeIndex(
                "{\"a.weight\": \"model-00001-of-00002.safetensors\","
                        + " \"b.weight\": \"model-00002-of-00002.safetensors\"}");

        try (Checkpoint checkpoint = Checkpoint.open(dir)) {
            assertThat(checkpoint.floats("a.weight", 1, 2)).containsExactly(1, 2);
            assertThat(checkpoint.floats("b.weight", 1, 2)).containsExactly(1, 2);
        }
    }

    @Test
    void namesTensorFileAndShapes() throws Exception {
        writeTensor("model.safetensors", "a.weight");

        try (Checkpoint checkpoint = Checkpoint.open(dir)) {
            assertThatThrownBy(() -> checkpoint.floats("a.weight", 2, 1))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessage(
                            dir.resolve("model.safetensors")
                                    + ": tensor a.weight has shape [1, 2];"
                                    + " expected [2, 1] according to config.json");
        }
    }

    @Test
    void namesTheNearestOfAMissingTensor() throws Exception {
        SafetensorsWriter writer = new SafetensorsWriter();
        for (String name : new String[] {"x", "moe.0.w1", "moe.1.w2", "moe.1.w11", "norm"}) {
            writer.add(name, new long[0], new float[1]);
        }
        writer.writeTo(dir.resolve("model.safetensors"));

        try (Checkpoint checkpoint = Checkpoint.open(dir)) {
            assertThatThrownBy(() -> checkpoint.floats("moe.1.w1"))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageEndingWith(
                            "there is no tensor moe.1.w1 among the 5 of the checkpoint;"
                                    + " the most similar names are [moe.1.w11, moe.0.w1, moe.1.w2]");
        }
    }

    @Test
    void readsTheConfig() throws Exception {
        writeTensor("model.safetensors", "a.weight");

        try (Checkpoint checkpoint = Checkpoint.open(dir)) {
            assertThat(checkpoint.config().positiveInt("n")).isEqualTo(3);
            assertThat(checkpoint.config().text("act", "gelu")).isEqualTo("silu");
            assertThat(checkpoint.config().text("absent", "gelu")).isEqualTo("gelu");
            assertThat(checkpoint.config().positiveFloat("eps", 1f)).isEqualTo(0.5f);
            assertThat(checkpoint.config().positiveFloat("absent", 1f)).isEqualTo(1f);
            assertThatThrownBy(() -> checkpoint.config().positiveInt("absent"))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageEndingWith(
                            "config.json: absent is missing; expected an integer of 1 or more");
            assertThatThrownBy(() -> checkpoint.config().positiveInt("eps"))
                    .hasMessageEndingWith("eps is 0.5; expected an integer of 1 or more");
            assertThatThrownBy(() -> checkpoint.config().positiveFloat("act", 1f))
                    .hasMessageEndingWith("act is \"silu\"; expected a number above 0");
            assertThatThrownBy(() -> checkpoint.config().text("n", ""))
                    .hasMessageEndingWith("n is 3; expected a string");
        }
    }

    @Test
    void refusesNumbersThatAreNotFinite() throws Exception {
        Files.writeString(dir.resolve("config.json"), "{\"eps\": 1e400, \"other\": -1e400}");
        writeTensor("model.safetensors", "a.weight");

        try (Checkpoint checkpoint = Checkpoint.open(dir)) {
            assertThatThrownBy(() -> checkpoint.config().positiveFloat("eps", 1f))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("expected a number above 0");
            assertThatThrownBy(() -> checkpoint.config().number("other", 1))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("expected a number");
        }
    }

    @Test
    void refusesMoreLayersThanAnyModelHas() throws Exception {
        Files.writeString(
                dir.resolve("config.json"),
                "{\"model_type\": \"mixtral\", \"hidden_size\": 4, \"intermediate_size\": 2,"
                        + " \"num_local_experts\": 2, \"num_experts_per_tok\": 1,"
                        + " \"num_hidden_layers\": 2147483647}");
        writeTensor("model.safetensors", "a.weight");

        assertThatThrownBy(
                        () -> CheckpointImporter.importBundle(dir, null, null, dir.resolve("out")))
                .isInstanceOf(CheckpointException.class)
                .hasMessageStartingWith(dir.resolve("config.json").toString())
                .hasMessageContaining("num_hidden_layers is 2147483647; expected at most 10000");
    }

    @Test
    void refusesAConfigOfAnyOtherKindOfBytes() throws Exception {
        Path config = dir.resolve("config.json");
        Files.write(config, new byte[] {0, 0, 0, '{', 0x7F, 0, 0, 1});
        assertRefused(dir, "config.json: not valid JSON: Invalid UTF-32 character");

        Files.writeString(config, "{\"a\":".repeat(2000));
        assertRefused(dir, "config.json: not valid JSON: Document nesting depth (1001)");

        try (RandomAccessFile file = new RandomAccessFile(config.toFile(), "rw")) {
            file.setLength(1L << 33);
        }
        assertRefused(dir, "config.json: it has 8589934592 bytes; allowed: up to 33554432");
    }

    @Test
    void namesWhatIsMissing() throws Exception {
        assertRefused(
                dir,
                "the directory contains neither model.safetensors nor model.safetensors.index.json");

        assertRefused(dir.resolve("nowhere"), "there is no such directory");

        Files.delete(dir.resolve("config.json"));
        assertRefused(dir, "config.json: there is no such file");
    }

    @Test
    void refusesJsonThatIsNone() throws Exception {
        Files.writeString(dir.resolve("config.json"), "{\n\n,}");
        assertRefused(dir, "config.json: not valid JSON at line 3");

        Files.writeString(dir.resolve("config.json"), "[]");
        assertRefused(dir, "config.json: it is not a JSON object");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"../x\"", "\"/x\"", "\"a/b\"", "\"..\"", "\"\"", "7", "null"})
    void refusesAnIndexThatPointsElsewhere(String shard) throws Exception {
        writeIndex("{\"a\": " + shard + "}");

        assertRefused(
                dir,
                "index.json: weight_map maps tensor a to "
                        + shard
                        + "; expected the name of a file in the same directory");
    }

    @Test
    void refusesAnIndexWithoutWeightMap() throws Exception {
        writeIndex("[]");

        assertRefused(
                dir,
                "weight_map is missing or not an object;"
                        + " expected an object from tensor names to file names");
    }

    @ParameterizedTest
    @CsvSource({
        "relu, RELU",
        "relu2, RELU2",
        "silu, SILU",
        "swish, SILU",
        "gelu, GELU_ERF",
        "gelu_new, GELU_TANH",
        "gelu_pytorch_tanh, GELU_TANH"
    })
    void knowsTheActivationsOfHuggingFace(String hiddenAct, Activation act) throws Exception {
        CheckpointConfig config = configWithActivation(hiddenAct);

        assertThat(Setting.parse("hidden_act = tanh").activation(config)).isEqualTo(act);
        assertThat(Setting.parse("absent = " + hiddenAct).activation(config)).isEqualTo(act);
    }

    @Test
    void refusesAnUnknownActivation() throws Exception {
        CheckpointConfig config = configWithActivation("tanh");

        assertThatThrownBy(() -> Setting.parse("hidden_act = silu").activation(config))
                .isInstanceOf(CheckpointException.class)
                .hasMessageEndingWith(
                        "config.json: hidden_act is \"tanh\"; expected one of relu, silu, swish, gelu, gelu_new, gelu_pytorch_tanh, relu2");
    }

    private CheckpointConfig configWithActivation(String hiddenAct) throws IOException {
        Path file = dir.resolve("config.json");
        Files.writeString(file, "{\"hidden_act\": \"%s\"}".formatted(hiddenAct));
        return CheckpointConfig.read(file);
    }

    private static void assertRefused(Path directory, String message) {
        assertThatThrownBy(() -> Checkpoint.open(directory))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining(message);
    }

    @ParameterizedTest
    @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
    void refusesWeightsThatAreNotFinite(float bad) throws Exception {
        float[] weights = new float[2 * 3 * 20_000];
        weights[4 * 20_000 + 7] = bad; // [1, 1, 7]: beyond a chunk that is read at once
        long[] shape = {2, 3, 20_000};
        new SafetensorsWriter()
                .add("before", new long[] {1}, new float[] {Float.NaN})
                .add("w", shape, weights)
                .writeTo(dir.resolve("model.safetensors"));
        String message =
                dir.resolve("model.safetensors")
                        + ": tensor w: value [1, 1, 7] is %s; allowed: ".formatted(bad);
        try (Checkpoint checkpoint = Checkpoint.open(dir)) {
            assertThatThrownBy(() -> checkpoint.floats("w", shape))
                    .isInstanceOf(SafetensorsException.class)
                    .hasMessage(message + "finite values");
            StoredWeight weight = new Weights(checkpoint).get("w", "");
            FloatBlocks half = weight.blocks(MatrixView.of(3, 3, 20_000));
            assertThatThrownBy(() -> half.forEachBlock((block, count) -> {}))
                    .isInstanceOf(SafetensorsException.class)
                    .hasMessage(message + "finite values");
            weight.blocks(MatrixView.of(0, 3, 20_000))
                    .forEachBlock((block, count) -> assertThat(count).isPositive());
        }
    }

    private void writeTensor(String file, String name) throws IOException {
        new SafetensorsWriter()
                .add(name, new long[] {1, 2}, new float[] {1, 2})
                .writeTo(dir.resolve(file));
    }

    private void writeIndex(String weightMap) throws IOException {
        Files.writeString(
                dir.resolve("model.safetensors.index.json"),
                "{\"metadata\": {}, \"weight_map\": " + weightMap + "}");
    }
}
