// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.OpenedModels;
import io.flinkmoe.model.OpenedModels.Bits;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.testing.TinyBundle;
import io.flinkmoe.testing.UnopenableModels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelCheckTest {

    private static final int D = 4;

    @TempDir private Path folder;

    /** Without it, a bundle could pass because an earlier test has opened its graphs. */
    @BeforeEach
    void forget() {
        ModelCheck.forgetOpened();
    }

    private TinyBundle withExpert(byte[] onnx) {
        return TinyBundle.builder()
                .hiddenSize(D)
                .expert(2, (expert, width) -> onnx)
                .writeTo(folder.resolve("bundle"));
    }

    private static String version() {
        return OnnxModel.environment().getVersion();
    }

    @Test
    void unknownVersionIsRefusedInTheWordsOfOnnxRuntime() {
        TinyBundle bundle = withExpert(UnopenableModels.ofTheFuture(D));

        assertThatThrownBy(() -> ModelCheck.openAll(bundle.bundle(), true))
                .isInstanceOf(BundleException.class)
                .hasMessageContaining("experts/2.onnx: ONNX Runtime cannot open it")
                .hasMessageContaining("Unsupported model IR version: 99");
        assertThat(folder.resolve("bundle/opened.json")).doesNotExist();
    }

    @Test
    void unknownOperatorIsRefusedInTheWordsOfOnnxRuntime() {
        TinyBundle bundle = withExpert(UnopenableModels.withUnknownOperator(D));

        assertThatThrownBy(() -> ModelCheck.openAll(bundle.bundle(), true))
                .hasMessageContaining("experts/2.onnx: ONNX Runtime cannot open it")
                .hasMessageContaining("NoSuchOperator");
    }

    @Test
    void shapesThatDoNotFitAreRefused() {
        TinyBundle bundle = withExpert(UnopenableModels.withWrongShape(D));

        assertThatThrownBy(() -> ModelCheck.openAll(bundle.bundle(), true))
                .hasMessageContaining("experts/2.onnx: ONNX Runtime cannot open it");
    }

    @Test
    void startRefusesWhatItCannotOpen() {
        TinyBundle bundle = withExpert(UnopenableModels.ofTheFuture(D));

        assertThatThrownBy(() -> MoeLayers.builder(bundle.options()).build())
                .isInstanceOf(BundleException.class)
                .hasMessageContaining("Unsupported model IR version: 99");
    }

    @Test
    void oneFileOfEachGeneratedGraphIsOpened() throws Exception {
        TinyBundle bundle =
                TinyBundle.builder()
                        .numExperts(8)
                        .layers(3)
                        .inputSize(5)
                        .hiddenSize(D)
                        .writeTo(folder.resolve("bundle"));

        ModelCheck.Result result = ModelCheck.openAll(bundle.bundle(), true);

        assertThat(result.opened()).as("encoder, router, expert").isEqualTo(3);
        assertThat(result.recorded()).isTrue();
        assertThat(Files.readString(folder.resolve("bundle/opened.json")))
                .contains("\"onnxruntime\" : \"" + version() + "\"");
    }

    @Test
    void everyDistinctFileOfAnotherProgramIsOpened() throws Exception {
        TinyBundle bundle =
                TinyBundle.builder()
                        .numExperts(6)
                        .hiddenSize(D)
                        .experts(
                                (expert, width) ->
                                        UnopenableModels.foreign(
                                                FixedExperts.scaling(expert / 2).onnx(0, width)))
                        .writeTo(folder.resolve("bundle"));

        assertThat(ModelCheck.openAll(bundle.bundle(), true).opened())
                .as("the router and three different experts")
                .isEqualTo(1 + 3);
    }

    @Test
    void startTrustsTheRecordOfTheSameVersionOnly() throws Exception {
        TinyBundle bundle = withExpert(UnopenableModels.foreign(UnopenableModels.ofTheFuture(D)));
        String digest = bundle.bundle().spec().checksums().get("layers/0/experts/2.onnx");
        Map<String, Bits> digests = Map.of("file:%s:%d:%d".formatted(digest, D, D), Bits.EXACT);

        new OpenedModels("0.0.1", digests).writeTo(bundle.bundle());
        assertThatThrownBy(() -> MoeLayers.builder(bundle.options()).build())
                .hasMessageContaining("Unsupported model IR version: 99");

        new OpenedModels(version(), digests).writeTo(bundle.bundle());
        assertThatCode(() -> MoeLayers.builder(bundle.options()).build())
                .doesNotThrowAnyException();
    }

    @Test
    void startOpensOneFileOfEachGraphAndNoLargeOnes() throws Exception {
        TinyBundle bundle =
                TinyBundle.builder()
                        .numExperts(8)
                        .hiddenSize(D)
                        .experts(
                                (expert, width) ->
                                        UnopenableModels.foreign(
                                                FixedExperts.scaling(expert).onnx(0, width)))
                        .expert(7, (e, width) -> UnopenableModels.withUnknownOperator(width))
                        .writeTo(folder.resolve("bundle"));
        long router = Files.size(folder.resolve("bundle/layers/0/router.onnx"));
        long expert = Files.size(folder.resolve("bundle/layers/0/experts/0.onnx"));

        assertThatCode(() -> ModelCheck.openUnrecorded(bundle.bundle(), false, router + expert))
                .as("room for the router and one expert")
                .doesNotThrowAnyException();
        ModelCheck.forgetOpened();
        assertThatThrownBy(
                        () ->
                                ModelCheck.openUnrecorded(
                                        bundle.bundle(), false, router + 2 * expert))
                .hasMessageContaining("NoSuchOperator");
    }

    @Test
    void expertForGpusIsAcceptedWhereExpertsRunOnThem() throws Exception {
        TinyBundle bundle = withExpert(UnopenableModels.withoutCpuKernel(D));

        ModelCheck.Result result = ModelCheck.openAll(bundle.bundle(), true);

        assertThat(result.gpuOnly()).containsOnlyKeys("layers/0/experts/2.onnx");
        assertThat(result.opened()).isEqualTo(2);
        assertThatThrownBy(() -> ModelCheck.openAll(bundle.bundle(), false))
                .hasMessageContaining("experts/2.onnx: ONNX Runtime cannot open it");
        ModelCheck.openUnrecorded(bundle.bundle(), true);
        assertThatThrownBy(() -> ModelCheck.openUnrecorded(bundle.bundle(), false))
                .hasMessageContaining("experts/2.onnx: ONNX Runtime cannot open it");
    }

    @Test
    void recordThatCannotBeReadIsReplaced() throws Exception {
        TinyBundle bundle = TinyBundle.builder().writeTo(folder.resolve("bundle"));
        Path record = Files.writeString(folder.resolve("bundle/opened.json"), "{\"opened\": [");

        assertThatCode(() -> MoeLayers.builder(bundle.options()).build())
                .doesNotThrowAnyException();
        ModelCheck.openAll(bundle.bundle(), true);

        assertThat(OpenedModels.read(bundle.bundle(), version()).models()).hasSize(2);
        assertThat(record).content().contains("graph:");
    }

    @Test
    void pathsOutsideAsciiAreOpened() throws Exception {
        assumeThat(System.getProperty("sun.jnu.encoding")).isEqualTo("UTF-8");
        for (String name : new String[] {"modèle", "模型", "model 😀", "𝕄"}) {
            TinyBundle bundle = TinyBundle.builder().seed(7).writeTo(folder.resolve(name));

            ModelCheck.openAll(bundle.bundle(), true);

            try (BundleSessions sessions = new BundleSessions(bundle.bundle())) {
                assertThat(sessions.expert(0, 0).outputWidth()).isEqualTo(D);
            }
        }
    }
}
