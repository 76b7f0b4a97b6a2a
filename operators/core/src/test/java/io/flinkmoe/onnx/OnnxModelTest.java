// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.model.graph.RouterGraphs;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.AbstractThrowableAssert;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OnnxModelTest {

    private static final int D = 24;
    private static final int H = 40;
    private static final int MAX_ROWS = 300;
    private static final int INT64 = 7;

    @TempDir private Path directory;

    @Test
    void opensAModelOfTheRightShape() throws Exception {
        Path file = write(RouterGraphs.linear(new float[3 * D], 3, D));
        try (OnnxModel model = OnnxModel.open(file, D, 3)) {
            assertThat(model.inputWidth()).isEqualTo(D);
            assertThat(model.outputWidth()).isEqualTo(3);
            assertThat(model.file()).isEqualTo(file);
        }
    }

    @Test
    void refusesAFileThatIsMissing() {
        assertRefused(directory.resolve("missing.onnx"), 2, 2)
                .hasMessageContaining("ONNX Runtime cannot open it")
                .hasMessageContaining("exist");
    }

    @Test
    void refusesAFileThatIsNoOnnxModel() throws Exception {
        assertRefused(write("not a model".getBytes(StandardCharsets.UTF_8)), 2, 2)
                .hasMessageContaining("ONNX Runtime cannot open it");
    }

    /** By default ONNX Runtime takes the format from the file name; only ONNX files are checked. */
    @Test
    void readsOnnxWhateverTheFileIsCalled() throws Exception {
        Path file = directory.resolve("model.ort");
        Files.write(file, RouterGraphs.linear(new float[3 * D], 3, D));
        try (OnnxModel model = OnnxModel.open(file, D, 3)) {
            assertThat(model.outputWidth()).isEqualTo(3);
        }
    }

    @Test
    void refusesTwoInputs() throws Exception {
        byte[] model =
                new OnnxGraph("add")
                        .input("left", 2)
                        .input("right", 2)
                        .output("sum", 2)
                        .node("Add", "sum", List.of("left", "right"))
                        .toBytes();
        assertRefused(write(model), 2, 2)
                .hasMessageEndingWith(
                        "expected one input, found 2: [left FLOAT [-1, 2], right FLOAT [-1, 2]]");
    }

    @Test
    void refusesTwoOutputs() throws Exception {
        assertRefused(write(twoOutputs()), 2, 2)
                .hasMessageEndingWith(
                        "expected one output, found 2: [same FLOAT [-1, 2], negative FLOAT [-1, 2]]");
    }

    @Test
    void refusesAnotherWidth() throws Exception {
        Path file = write(RouterGraphs.linear(new float[3 * D], 3, D));
        assertRefused(file, D + 1, 3)
                .hasMessageEndingWith("input 'hidden' must be [batch, 25]; found [batch, 24]");
        assertRefused(file, D, 4)
                .hasMessageEndingWith("output 'logits' must be [batch, 4]; found [batch, 3]");
    }

    @Test
    void refusesAFixedBatch() throws Exception {
        // Replaces the dimension "batch" by the number 5, encoded in as many bytes.
        byte[] model = replace(identity(), "0a071205" + "6261746368", "0a070885" + "8080808000");
        assertRefused(write(model), 2, 2)
                .hasMessageEndingWith(
                        "input 'x' must be FLOAT or DOUBLE [batch, width] with a dynamic batch dimension; found FLOAT [5,"
                                + " 2]");
    }

    @Test
    void refusesAnotherType() throws Exception {
        // Replaces the element type 1, float, by 10, float16.
        byte[] model = replace(identity(), "080112", "080a12");
        assertRefused(write(model), 2, 2)
                .hasMessageEndingWith(
                        "input 'x' must be FLOAT or DOUBLE [batch, width] with a dynamic batch dimension; found FLOAT16"
                                + " [-1, 2]");
    }

    @Test
    void refusesAnotherTypeOfTheOutput() throws Exception {
        byte[] model =
                new OnnxGraph("cast")
                        .input("x", 2)
                        .output("y", 2)
                        .node("Cast", "y", List.of("x"), Map.of("to", INT64))
                        .toBytes();
        int output = HexFormat.of().formatHex(model).lastIndexOf("080112") / 2;
        model[output + 1] = INT64;
        assertRefused(write(model), 2, 2)
                .hasMessageEndingWith(
                        "output 'y' must be FLOAT or DOUBLE [batch, width] with a dynamic batch dimension; found INT64"
                                + " [-1, 2]");
    }

    @Test
    void convertsFloat64() throws Exception {
        byte[] identity = replace(identity(), "080112", "080b12");
        try (OnnxModel model = OnnxModel.open(write(identity), 2, 2)) {
            assertThat(run(model, new float[] {1, 0.1f, -3, 1e30f}, 2))
                    .containsExactly(1, 0.1f, -3, 1e30f);
        }
    }

    @Test
    void usesTheTensorsThatAreNamed() throws Exception {
        Path file = write(twoOutputs());
        try (OnnxModel model = OnnxModel.open(file, new ModelTensors("x", 2, "negative", 2))) {
            assertThat(run(model, new float[] {1, 2, 3, 4}, 2)).containsExactly(-1, -2, -3, -4);
        }
        assertThatThrownBy(() -> OnnxModel.open(file, new ModelTensors(null, 2, "no", 2)))
                .hasMessageEndingWith(
                        "there is no output 'no'; found [same FLOAT [-1, 2], negative FLOAT [-1, 2]]");
    }

    @Test
    void givesARowTheSameBitsInEveryBatch() throws Exception {
        checkThatTheBatchDoesNotMatter(expert(), D, D, MAX_ROWS);
    }

    /** Rows of any width, so that rows begin at any memory address. */
    @ParameterizedTest(name = "d = {0}")
    @ValueSource(ints = {1, 2, 3, 5, 6, 7, 8, 13, 30, 33})
    void givesARowTheSameBitsInEveryBatchWhateverItsWidth(int d) throws Exception {
        byte[] expert =
                ExpertGraphs.gated(
                        Activation.SILU,
                        gaussian(7 * d, 3),
                        gaussian(7 * d, 4),
                        gaussian(d * 7, 5),
                        d,
                        7);
        checkThatTheBatchDoesNotMatter(expert, d, d, 40);
        checkThatTheBatchDoesNotMatter(RouterGraphs.linear(gaussian(9 * d, 6), 9, d), d, 9, 40);
        checkThatTheBatchDoesNotMatter(ExpertGraphs.rmsNorm(gaussian(d, 7), d, 1e-5f), d, d, 40);
    }

    private void checkThatTheBatchDoesNotMatter(byte[] onnx, int in, int out, int maxRows)
            throws Exception {
        float[] x = gaussian(maxRows * in, 1);
        try (OnnxModel model = OnnxModel.open(write(onnx), in, out)) {
            float[] all = run(model, x, maxRows);
            for (int rows = 1; rows <= maxRows; rows++) {
                assertThat(run(model, x, rows))
                        .as("%d rows", rows)
                        .isEqualTo(Arrays.copyOf(all, rows * out));
            }
            for (int row = 0; row < maxRows; row++) {
                float[] alone = Arrays.copyOfRange(x, row * in, row * in + in);
                assertThat(run(model, alone, 1))
                        .as("row %d alone", row)
                        .isEqualTo(Arrays.copyOfRange(all, row * out, row * out + out));
            }
        }
    }

    @Test
    void writesNoFurtherThanTheRowsAsked() throws Exception {
        try (OnnxModel model = OnnxModel.open(write(identity()), 2, 2)) {
            DirectRows input = new DirectRows(3, 2);
            DirectRows output = new DirectRows(3, 2);
            input.put(new float[] {1, 2, 3, 4, 5, 6}, 0, 3);
            output.put(new float[] {-7, -7, -7, -7, -7, -7}, 0, 3);
            model.run(input, output, 2);
            float[] found = new float[6];
            output.get(found, 0, 3);
            assertThat(found).containsExactly(1, 2, 3, 4, -7, -7);
        }
    }

    @Test
    void runsInSeveralThreadsAtOnce() throws Exception {
        float[] x = gaussian(64 * D, 2);
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try (OnnxModel model = OnnxModel.open(write(expert()), D, D)) {
            float[] expected = run(model, x, 64);
            List<Callable<Void>> work = new ArrayList<>();
            for (int thread = 0; thread < 4; thread++) {
                int rows = 1 + 21 * thread;
                work.add(
                        () -> {
                            for (int i = 0; i < 200; i++) {
                                assertThat(run(model, x, rows))
                                        .isEqualTo(Arrays.copyOf(expected, rows * D));
                            }
                            return null;
                        });
            }
            for (Future<Void> result : threads.invokeAll(work, 60, TimeUnit.SECONDS)) {
                result.get();
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private static AbstractThrowableAssert<?, ?> assertRefused(
            Path file, int inputWidth, int outputWidth) {
        return assertThatThrownBy(() -> OnnxModel.open(file, inputWidth, outputWidth).close())
                .isInstanceOf(BundleException.class)
                .hasMessageStartingWith(file + ": ");
    }

    private Path write(byte[] model) throws Exception {
        return Files.write(directory.resolve("model.onnx"), model);
    }

    private static byte[] twoOutputs() {
        return new OnnxGraph("two")
                .input("x", 2)
                .output("same", 2)
                .output("negative", 2)
                .node("Identity", "same", List.of("x"))
                .node("Neg", "negative", List.of("x"))
                .toBytes();
    }

    private static byte[] identity() {
        return new OnnxGraph("identity")
                .input("x", 2)
                .output("y", 2)
                .node("Identity", "y", List.of("x"))
                .toBytes();
    }

    private static byte[] expert() {
        return ExpertGraphs.gated(
                Activation.SILU, gaussian(H * D, 3), gaussian(H * D, 4), gaussian(D * H, 5), D, H);
    }

    private static byte[] replace(byte[] model, String from, String to) {
        HexFormat hex = HexFormat.of();
        String replaced = hex.formatHex(model).replace(from, to);
        assertThat(replaced).as("model with other bytes").isNotEqualTo(hex.formatHex(model));
        return hex.parseHex(replaced);
    }

    private static float[] run(OnnxModel model, float[] x, int rows) throws Exception {
        DirectRows input = new DirectRows(rows, model.inputWidth());
        DirectRows output = new DirectRows(rows, model.outputWidth());
        input.put(x, 0, rows);
        model.run(input, output, rows);
        float[] y = new float[rows * model.outputWidth()];
        output.get(y, 0, rows);
        return y;
    }

    private static float[] gaussian(int count, long seed) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
