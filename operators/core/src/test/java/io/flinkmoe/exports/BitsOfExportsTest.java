// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.exports;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.json.JsonMapper;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.OpenedModels;
import io.flinkmoe.model.OpenedModels.Bits;
import io.flinkmoe.model.parts.Manifest;
import io.flinkmoe.model.parts.PartsImporter;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.Device;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.ExpertModel;
import io.flinkmoe.onnx.check.ModelCheck;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which parts give a row the same bits in every batch, as the import finds out. */
class BitsOfExportsTest {

    private static final Path EXPORTS = Path.of("src/test/resources/exports");
    private static final int ROWS = 64;
    private static final int WIDTH = 12;

    @TempDir private Path folder;

    private ModelCheck.Result found;

    @Test
    void treesAndMlpsKeepTheirBitsAndALinearClassifierDoesNot() throws Exception {
        Bundle bundle = segments();

        assertThat(found.bits())
                .containsExactlyInAnyOrderEntriesOf(
                        Map.of(
                                "layers/0/experts/0.onnx", Bits.EXACT,
                                "layers/0/experts/1.onnx", Bits.EXACT,
                                "layers/0/experts/2.onnx", Bits.ROUNDING,
                                "layers/0/experts/3.onnx", Bits.EXACT,
                                "layers/0/experts/4.onnx", Bits.EXACT));
        assertThat(found.inexact()).containsExactly("layers/0/experts/2.onnx");
        assertThat(OpenedModels.read(bundle, found.runtimeVersion()).models().values())
                .containsOnly(Bits.EXACT, Bits.ROUNDING)
                .hasSize(5);
        assertThat(ModelCheck.openUnrecorded(bundle, false))
                .containsExactly("layers/0/experts/2.onnx");
    }

    @Test
    void rowByRowEveryRowHasTheSameBits() throws Exception {
        Bundle bundle = segments();
        float[] x = new float[ROWS * WIDTH];
        Random random = new Random(5);
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) random.nextGaussian();
        }
        Set<String> rowByRow = Set.copyOf(found.inexact());
        try (BundleSessions sessions = new BundleSessions(bundle, Device.CPU, rowByRow, () -> {})) {
            ExpertModel model = sessions.expert(0, 2);
            float[] together = run(model, x, ROWS);
            for (int row = 0; row < ROWS; row++) {
                float[] alone = Arrays.copyOfRange(x, row * WIDTH, (row + 1) * WIDTH);
                assertThat(run(model, alone, 1)).containsExactly(together[row]);
            }
        }
    }

    /** Without raw_scores, skl2onnx exports a classifier's probabilities. */
    @Test
    void aSoftmaxOfProbabilitiesIsReported() throws Exception {
        String router = "{'file': 'experts/1.onnx', 'output': 'probabilities'}";
        importFrom(
                "sklearn_pipeline",
                "{'layers': [{'residual': 'none', 'experts': [%s, %s, %s], 'gates': [{'router': %s,"
                        + " 'scoring_func': 'softmax'}]}]}",
                router,
                router,
                router,
                router);

        assertThat(found.probabilities()).containsExactly("layers/0/gates/0.onnx");

        importFrom(
                "sklearn_pipeline",
                "{'layers': [{'residual': 'none', 'experts': [%s, %s, %s], 'gates': [{'router':"
                        + " {'file': 'router.onnx', 'output': 'probabilities'}, 'scoring_func':"
                        + " 'softmax'}]}]}",
                router,
                router,
                router);

        assertThat(found.probabilities()).as("raw scores").isEmpty();
    }

    private Bundle segments() throws IOException {
        return importFrom(
                "segments",
                "{'layers': [{'residual': 'none', 'experts': ['experts/default.onnx',"
                        + " 'experts/fuel.onnx', 'experts/gaming.onnx', 'experts/retail.onnx',"
                        + " 'experts/travel.onnx'], 'gates': [{'rule': {'stream': true, 'table': {},"
                        + " 'fallback': '0'}}]}]}");
    }

    private Bundle importFrom(String name, String manifest, Object... parts) throws IOException {
        Path source = EXPORTS.resolve(name);
        String json = manifest.formatted(parts).replace('\'', '"');
        return PartsImporter.importBundle(
                        new Manifest(
                                new JsonMapper().readTree(json),
                                source.resolve("manifest.yaml"),
                                source),
                        folder.resolve("bundle-" + folder.toFile().list().length),
                        bundle -> found = ModelCheck.openAll(bundle, false))
                .bundle();
    }

    private static float[] run(ExpertModel model, float[] x, int rows) throws Exception {
        DirectRows input = new DirectRows(rows, WIDTH);
        DirectRows output = new DirectRows(rows, 1);
        float[] y = new float[rows];
        input.put(x, 0, rows);
        model.run(input, output, rows);
        output.get(y, 0, rows);
        return y;
    }
}
