// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.RouterGraphs;
import io.flinkmoe.tensor.SafetensorsWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A checkpoint of two layers, the second with a norm: d = 4, h = 3, N = 2, k = 1. */
class MixtralImportTest {
    private static final int D = 4;
    private static final int H = 3;

    @TempDir Path dir;
    private final ObjectNode config = new ObjectMapper().createObjectNode();
    private float next;

    @BeforeEach
    void writeCheckpoint() throws Exception {
        config.put("model_type", "mixtral");
        config.put("hidden_act", "silu");
        config.put("hidden_size", D);
        config.put("intermediate_size", H);
        config.put("num_hidden_layers", 2);
        config.put("num_local_experts", 2);
        config.put("num_experts_per_tok", 1);
        config.put("rms_norm_eps", 0.75);
        SafetensorsWriter writer = new SafetensorsWriter();
        for (int layer = 0; layer < 2; layer++) {
            String moe = "model.layers.%d.block_sparse_moe.".formatted(layer);
            add(writer, moe + "gate.weight", 2, D);
            for (int e = 0; e < 2; e++) {
                add(writer, moe + "experts.%d.w1.weight".formatted(e), H, D);
                add(writer, moe + "experts.%d.w2.weight".formatted(e), D, H);
                add(writer, moe + "experts.%d.w3.weight".formatted(e), H, D);
            }
        }
        writer.add(
                "model.layers.1.post_attention_layernorm.weight",
                new long[] {D},
                new float[] {1, 1, 1, 1});
        Path checkpoint = Files.createDirectory(dir.resolve("checkpoint"));
        writer.writeTo(checkpoint.resolve("model.safetensors"));
    }

    @Test
    void importsEveryLayerInOrder() throws Exception {
        Bundle bundle = importBundle(null, null);

        assertThat(bundle.spec().inputSize()).isEqualTo(D);
        assertThat(bundle.spec().outputSize()).isEqualTo(D);
        assertThat(bundle.spec().layers())
                .extracting(layer -> layer.gates().get(0).router())
                .extracting(ModelFile::file)
                .containsExactly("layers/0/router.onnx", "layers/1/router.onnx");
        assertThat(bundle.spec().layers())
                .extracting(LayerSpec::norm)
                .containsExactly(null, ModelFile.of("layers/1/norm.onnx"));
        try (Checkpoint checkpoint = Checkpoint.open(dir.resolve("checkpoint"))) {
            for (int layer = 0; layer < 2; layer++) {
                String expert = "model.layers.%d.block_sparse_moe.experts.1.".formatted(layer);
                byte[] expected =
                        ExpertGraphs.gated(
                                Activation.SILU,
                                checkpoint.floats(expert + "w1.weight", H, D),
                                checkpoint.floats(expert + "w3.weight", H, D),
                                checkpoint.floats(expert + "w2.weight", D, H),
                                D,
                                H);
                assertThat(bundle.file("layers/%d/experts/1.onnx".formatted(layer)))
                        .hasBinaryContent(expected);
            }
        }
    }

    @Test
    void theNormTakesItsEpsilonFromTheConfig() throws Exception {
        Bundle bundle = importBundle(null, null);

        byte[] norm = Files.readAllBytes(bundle.file("layers/1/norm.onnx"));
        float[] y = OnnxRunner.run(norm, new float[] {0.5f, -0.5f, 0.5f, 0.5f}, D);

        assertThat(y).containsExactly(0.5f, -0.5f, 0.5f, 0.5f);
    }

    @Test
    void refusesAnUnknownModelType() {
        assertRefused(
                c -> c.put("model_type", "gpt2"),
                "config.json: model_type is \"gpt2\"; expected one of afmoe, aria, aria_text, axk1");
        assertRefused(c -> c.remove("model_type"), "model_type is missing; expected one of");
    }

    @Test
    void refusesAnActivationThatIsNotKnown() {
        assertRefused(
                c -> c.put("hidden_act", "tanh"),
                "config.json: hidden_act is \"tanh\"; expected one of relu, silu");
    }

    @Test
    void importsChosenLayersInTheOrderGiven() throws Exception {
        Path checkpoint = dir.resolve("checkpoint");
        Files.writeString(checkpoint.resolve("config.json"), config.toString());
        Bundle all = CheckpointImporter.importBundle(checkpoint, null, null, dir.resolve("all"));
        Bundle last =
                CheckpointImporter.importBundle(
                        checkpoint, List.of(1), null, null, dir.resolve("last"));
        Bundle reversed =
                CheckpointImporter.importBundle(
                        checkpoint, List.of(1, 0), null, null, dir.resolve("reversed"));

        assertThat(last.spec().layers()).hasSize(1);
        assertThat(checksums(last, "layers/0/")).isEqualTo(checksums(all, "layers/1/"));
        assertThat(checksums(reversed, "layers/0/")).isEqualTo(checksums(all, "layers/1/"));
        assertThat(checksums(reversed, "layers/1/")).isEqualTo(checksums(all, "layers/0/"));
    }

    @Test
    void refusesLayersThatAreNotThere() throws Exception {
        Path checkpoint = dir.resolve("checkpoint");
        Files.writeString(checkpoint.resolve("config.json"), config.toString());
        Path output = dir.resolve("bundle");

        for (int layer : new int[] {-1, 2}) {
            assertThatThrownBy(
                            () ->
                                    CheckpointImporter.importBundle(
                                            checkpoint, List.of(0, layer), null, null, output))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessage(
                            "there is no layer %d; the checkpoint has the MoE layers 0 to 1"
                                            .formatted(layer)
                                    + " (model.layers.0 to model.layers.1)");
        }
        assertThatThrownBy(
                        () ->
                                CheckpointImporter.importBundle(
                                        checkpoint, List.of(), null, null, output))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("no layer is selected; expected one or more of 0 to 1");
        assertThat(output).doesNotExist();
    }

    @Test
    void refusesMoreExpertsPerTokenThanThereAre() {
        assertRefused(
                c -> c.put("num_experts_per_tok", 3),
                "num_experts_per_tok is 3; expected 1 to num_local_experts, which is 2");
    }

    @Test
    void refusesAConfigThatAsksForMoreThanThereIs() {
        assertRefused(
                c -> c.put("num_hidden_layers", 3),
                "there is no tensor of the last layer, model.layers.2; complete the download");
        assertRefused(
                c -> c.put("num_local_experts", 3),
                "gate.weight has shape [2, 4]; expected [3, 4] according to config.json");
    }

    @Test
    void refusesAnEncoderOfAnotherHiddenSize() throws Exception {
        Path encoder = Files.write(dir.resolve("e.onnx"), RouterGraphs.linear(new float[10], 5, 2));

        assertThatThrownBy(() -> importBundle(encoder, null))
                .isInstanceOf(BundleException.class)
                .hasMessage(
                        encoder
                                + ": its output is [batch, 5];"
                                + " expected [batch, 4], the checkpoint's hidden size");
    }

    @Test
    void takesTheWidthsOfEncoderAndHead() throws Exception {
        Path encoder = Files.write(dir.resolve("e.onnx"), RouterGraphs.linear(new float[8], D, 2));
        Path head = Files.write(dir.resolve("h.onnx"), RouterGraphs.linear(new float[12], 3, D));

        BundleSpec spec = importBundle(encoder, head).spec();

        assertThat(spec.inputSize()).isEqualTo(2);
        assertThat(spec.outputSize()).isEqualTo(3);
    }

    /** The checksums of a layer's files, in the order of their names. */
    private static List<String> checksums(Bundle bundle, String folder) {
        return bundle.spec().checksums().entrySet().stream()
                .filter(e -> e.getKey().startsWith(folder))
                .map(e -> e.getKey().substring(folder.length()) + "=" + e.getValue())
                .toList();
    }

    private Bundle importBundle(Path encoder, Path head) throws Exception {
        Path checkpoint = dir.resolve("checkpoint");
        Files.writeString(checkpoint.resolve("config.json"), config.toString());
        return CheckpointImporter.importBundle(checkpoint, encoder, head, dir.resolve("bundle"));
    }

    /** Asserts that the import fails with the message and leaves no files behind. */
    private void assertRefused(Consumer<ObjectNode> change, String message) {
        ObjectNode good = config.deepCopy();
        change.accept(config);
        assertThatThrownBy(() -> importBundle(null, null))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining(message);
        config.removeAll().setAll(good);
        assertThat(dir).isDirectoryNotContaining(path -> path.toString().contains("bundle"));
    }

    private void add(SafetensorsWriter writer, String name, int rows, int columns) {
        float[] data = new float[rows * columns];
        for (int i = 0; i < data.length; i++) {
            data[i] = ++next;
        }
        writer.add(name, new long[] {rows, columns}, data);
    }
}
