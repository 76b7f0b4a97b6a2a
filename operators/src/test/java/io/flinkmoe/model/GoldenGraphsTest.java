package io.flinkmoe.model;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The graphs of every golden case. The outputs of single experts are not stored: their sum by the
 * stored ids and weights is held against the layer's output.
 */
class GoldenGraphsTest {
    private static final Path GOLDEN =
            Path.of(System.getProperty("golden.dir", "src/test/resources/golden"));

    @ParameterizedTest
    @MethodSource
    void expertsAddUpToTheOutput(Path folder) throws Exception {
        try (GoldenGraphs golden = new GoldenGraphs(folder)) {
            double[] sum = weightedSum(golden);
            if (golden.has("residual.coef_weight")) {
                float[] weight = golden.floats("residual.coef_weight");
                float[] bias = golden.floats("residual.coef_bias");
                float[] scale = run(RouterGraphs.residualScale(weight, bias, golden.d), golden.x);
                sum = Loops.times(sum, Loops.widen(scale));
            }
            if (golden.shared() != null) {
                add(sum, run(golden.shared(), golden.x));
            }
            if (golden.has("experts.ln_weight")) {
                add(sum, golden.x); // BASE: the output has the residual in it
            }

            assertClose(golden.floats("out"), sum, 1e-5);
        }
    }

    static Stream<Path> expertsAddUpToTheOutput() throws IOException {
        return cases(c -> c.has("experts.w2") || c.has("experts.wi"));
    }

    @ParameterizedTest
    @MethodSource
    void routersGiveTheLogits(Path folder) throws Exception {
        try (GoldenGraphs golden = new GoldenGraphs(folder)) {
            float[] x = golden.x.clone();
            if (golden.has("noise.input_multiplier")) {
                float[] multiplier = golden.floats("noise.input_multiplier");
                for (int i = 0; i < x.length; i++) {
                    x[i] *= multiplier[i];
                }
            }
            String expected = golden.has("logits_clean") ? "logits_clean" : "logits";

            assertClose(golden.floats(expected), Loops.widen(run(golden.router(), x)), 2e-6);
        }
    }

    static Stream<Path> routersGiveTheLogits() throws IOException {
        return cases(GoldenGraphs::hasRouter);
    }

    @ParameterizedTest
    @MethodSource
    void noisyTopKGivesTheDeviations(Path folder) throws Exception {
        try (GoldenGraphs golden = new GoldenGraphs(folder)) {
            int n = golden.size("router.noise_weight", 0);
            float[] weight = golden.floats("router.noise_weight");
            byte[] model = RouterGraphs.noiseStddev(weight, n, golden.d);

            assertClose(golden.floats("noise_stddev"), Loops.widen(run(model, golden.x)), 2e-6);
        }
    }

    static Stream<Path> noisyTopKGivesTheDeviations() throws IOException {
        return cases(c -> c.has("router.noise_weight") && c.has("noise.normal"));
    }

    @ParameterizedTest
    @MethodSource
    void hashChoosesTheExperts(Path folder) throws Exception {
        try (GoldenGraphs golden = new GoldenGraphs(folder)) {
            int[] ids = golden.ints("token_ids");
            int[] chosen = golden.ints("topk_ids");
            int n = golden.size("experts.wi", 0);
            float[] tokens = new float[ids.length];
            double[] expected = new double[ids.length * n];
            for (int t = 0; t < ids.length; t++) {
                tokens[t] = ids[t];
                expected[t * n + chosen[t]] = 1;
            }
            byte[] model = RouterGraphs.hash(golden.ints("hash.table"), 0, 1, n);

            assertClose(run(model, tokens), expected, 1e-30);
        }
    }

    static Stream<Path> hashChoosesTheExperts() throws IOException {
        return cases(c -> c.has("hash.table"));
    }

    /** The experts' outputs times the stored weights, which are 0 for dropped choices. */
    private static double[] weightedSum(GoldenGraphs golden) throws Exception {
        int d = golden.d;
        double[] sum = new double[golden.x.length];
        boolean expertsChoose = golden.has("ec.token_ids");
        int[] chosen = golden.ints(expertsChoose ? "ec.token_ids" : "topk_ids");
        float[] weights = golden.floats(expertsChoose ? "ec.weights" : "topk_weights");
        int width = golden.size(expertsChoose ? "ec.token_ids" : "topk_ids", 1);
        int n = golden.size(golden.has("experts.wi") ? "experts.wi" : "experts.w2", 0);
        for (int e = 0; e < n; e++) {
            float[] output = run(golden.expert(e), golden.x);
            for (int i = 0; i < chosen.length; i++) {
                int expert = expertsChoose ? i / width : chosen[i];
                int token = expertsChoose ? chosen[i] : i / width;
                for (int j = token * d; expert == e && j < (token + 1) * d; j++) {
                    sum[j] += (double) weights[i] * output[j];
                }
            }
        }
        return sum;
    }

    /** The cases with a property, of which there must be some. */
    private static Stream<Path> cases(Predicate<GoldenGraphs> property) throws IOException {
        try (Stream<Path> entries = Files.list(GOLDEN)) {
            List<Path> folders = entries.filter(Files::isDirectory).sorted().toList();
            return folders.stream().filter(folder -> is(folder, property));
        }
    }

    private static boolean is(Path folder, Predicate<GoldenGraphs> property) {
        try (GoldenGraphs golden = new GoldenGraphs(folder)) {
            return property.test(golden);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void add(double[] sum, float[] values) {
        Arrays.setAll(sum, i -> sum[i] + values[i]);
    }

    /** Within a tolerance times the largest value, or 1 if that is larger. */
    private static void assertClose(float[] a, double[] b, double tolerance) {
        double largest = Arrays.stream(Loops.widen(a)).map(Math::abs).max().orElseThrow();
        Loops.assertClose(a, b, tolerance * Math.max(1, largest));
    }

    private static float[] run(byte[] model, float[] x) throws Exception {
        try (OpenGraph graph = new OpenGraph(model)) {
            return graph.run(x);
        }
    }
}
