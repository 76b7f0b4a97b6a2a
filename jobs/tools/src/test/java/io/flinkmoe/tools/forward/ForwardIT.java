// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.api.Token;
import io.flinkmoe.tensor.SafetensorsFile;
import io.flinkmoe.tensor.SafetensorsWriter;
import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.testing.TinyBundle;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Moe;
import io.flinkmoe.tools.Program;
import io.flinkmoe.tools.flights.ExpectedFlights;
import io.flinkmoe.tools.flights.Flights;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ForwardIT {

    private static final int TOKENS = 1000;

    @TempDir private static Path folder;

    @BeforeAll
    static void importModelAndWriteInput() throws Exception {
        Program program =
                Program.run(
                        "import",
                        "--checkpoint",
                        Home.FLIGHTS.resolve("checkpoint"),
                        "--encoder",
                        Home.FLIGHTS.resolve("encoder.onnx"),
                        "--head",
                        Home.FLIGHTS.resolve("head.onnx"),
                        "--output",
                        folder.resolve("model"));
        assertThat(program.exitCode()).as(program.err()).isZero();
        float[] x = new float[TOKENS * 10];
        for (Token token : Flights.read(Home.FLIGHTS, TOKENS).tokens()) {
            System.arraycopy(token.values(), 0, x, 10 * (int) token.position(), 10);
        }
        new SafetensorsWriter()
                .add("x", new long[] {TOKENS, 10}, x)
                .writeTo(folder.resolve("in.safetensors"));
    }

    @Test
    void referenceAnswersWhatTheModelMust() throws Exception {
        Path out = forward("reference.safetensors", "--engine", "reference");

        try (SafetensorsFile answers = SafetensorsFile.open(out)) {
            ExpectedFlights expected = ExpectedFlights.read(Home.FLIGHTS);
            float[] probability = answers.floats("out");
            int[] experts = answers.ints("experts");
            assertThat(answers.shape("out")).containsExactly(TOKENS, 1);
            assertThat(answers.shape("logits")).containsExactly(TOKENS, 8);
            for (int i = 0; i < TOKENS; i++) {
                assertThat(probability[i]).isCloseTo(expected.probability(i), within(1e-5f));
                assertThat(Arrays.copyOfRange(experts, 2 * i, 2 * i + 2))
                        .isEqualTo(expected.experts(i));
            }
            assertThat(answers.ints("outcomes")).containsOnly(0);
        }
    }

    @Test
    void flinkAnswersWithTheBitsOfTheReference() throws Exception {
        Path reference = forward("a.safetensors");
        Path flink = forward("b.safetensors", "--engine", "flink", "--parallelism", 2);

        assertThat(flink).hasSameBinaryContentAs(reference);
    }

    @ParameterizedTest
    @CsvSource({"12,4", "6,8"})
    void modelOfManyLayersRunsAtAnyParallelism(int layers, int parallelism) throws Exception {
        String name = "layers-" + layers;
        TinyBundle.builder().layers(layers).writeTo(folder.resolve(name));
        float[] x = new float[100 * 4];
        for (int i = 0; i < x.length; i++) {
            x[i] = i % 7 - 3;
        }
        Path input = folder.resolve(name + ".safetensors");
        new SafetensorsWriter().add("x", new long[] {100, 4}, x).writeTo(input);

        Program program =
                Program.run(
                        "forward",
                        "--bundle",
                        folder.resolve(name),
                        "--input",
                        input,
                        "--output",
                        folder.resolve(name + "-out"),
                        "--engine=flink",
                        "--parallelism=" + parallelism);

        assertThat(program.exitCode()).as(program.err()).isZero();
    }

    @Test
    void failureOfTheJobIsReportedWithItsCause() throws Exception {
        TinyBundle.builder().experts(FixedExperts.failing()).writeTo(folder.resolve("failing"));
        Path input = folder.resolve("failing.safetensors");
        new SafetensorsWriter().add("x", new long[] {3, 4}, new float[12]).writeTo(input);

        Program program =
                Program.run(
                        "forward",
                        "--bundle",
                        folder.resolve("failing"),
                        "--input",
                        input,
                        "--output",
                        folder.resolve("failing-out"),
                        "--engine=flink");

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err()).contains("ORT_").doesNotContain("Failed to fetch next result");
    }

    @Test
    void inspectShowsTheModelAndItsParts() {
        Program program = Program.run("inspect", folder.resolve("model"));

        assertThat(program.exitCode()).isZero();
        assertThat(program.out())
                .contains("softmax, top 2, normalized", "expert 7", "encoder", "head", "verified");
    }

    @Test
    void inputOfAnotherWidthIsNamed() throws Exception {
        Path input = folder.resolve("wide.safetensors");
        new SafetensorsWriter().add("x", new long[] {1, 3}, new float[3]).writeTo(input);

        Program program = run(input, folder.resolve("none"));

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err()).contains(input + ": x is [1, 3]; the model takes [T, 10]");
    }

    @Test
    void badRowIsNamedBeforeEitherEngineRuns() throws Exception {
        float[] x = new float[3 * 10];
        x[2 * 10 + 7] = Float.NaN;
        Path input = folder.resolve("nan.safetensors");
        new SafetensorsWriter().add("x", new long[] {3, 10}, x).writeTo(input);

        for (String engine : List.of("reference", "flink")) {
            Program program = run(input, folder.resolve("none"), "--engine", engine);

            assertThat(program.exitCode()).isEqualTo(1);
            assertThat(program.err()).contains(input + ": row 2: x[7] is NaN; only finite values");
        }
    }

    @Test
    void noRowsGiveEmptyAnswersInBothEngines() throws Exception {
        Path input = folder.resolve("no-rows.safetensors");
        new SafetensorsWriter().add("x", new long[] {0, 10}, new float[0]).writeTo(input);

        for (String engine : List.of("reference", "flink")) {
            Path output = folder.resolve("no-rows-" + engine);
            Program program = run(input, output, "--engine", engine);

            assertThat(program.exitCode()).as(program.err()).isZero();
            try (SafetensorsFile answers = SafetensorsFile.open(output)) {
                assertThat(answers.shape("out")).containsExactly(0, 1);
                assertThat(answers.shape("logits")).containsExactly(0, 8);
                assertThat(answers.shape("experts")).containsExactly(0, 2);
            }
        }
    }

    @Test
    void folderOfTheOutputMustExist() {
        Path output = folder.resolve("nowhere").resolve("out.safetensors");

        Program program = run(folder.resolve("in.safetensors"), output);

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err()).contains(output + "'; there is no folder " + output.getParent());
    }

    @Test
    @Tag("slow")
    void processRemovesItsTemporaryFolder() throws Exception {
        Path temporary = Files.createDirectory(folder.resolve("tmp"));
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(argument -> argument.startsWith("--add-"))
                .forEach(command::add);
        command.addAll(
                List.of(
                        "-Djava.io.tmpdir=" + temporary,
                        "-Dmoe.tmp=" + temporary,
                        "-Dmoe.log.file=" + folder.resolve("moe.log"),
                        "-cp",
                        System.getProperty("java.class.path"),
                        Moe.class.getName(),
                        "forward",
                        "--engine=flink",
                        "--bundle=" + folder.resolve("model"),
                        "--input=" + folder.resolve("in.safetensors"),
                        "--output=" + folder.resolve("of-a-process")));
        Path output = folder.resolve("output.txt");
        Process process =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .start();

        try {
            assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
            assertThat(process.exitValue()).as(Files.readString(output)).isZero();
            assertThat(temporary).doesNotExist();
        } finally {
            process.destroyForcibly();
        }
    }

    private static Program run(Path input, Path output, Object... more) {
        List<Object> arguments = new ArrayList<>();
        arguments.addAll(List.of("forward", "--bundle", folder.resolve("model")));
        arguments.addAll(List.of("--input", input, "--output", output));
        arguments.addAll(List.of(more));
        return Program.run(arguments.toArray());
    }

    private static Path forward(String output, Object... more) {
        Program program = run(folder.resolve("in.safetensors"), folder.resolve(output), more);
        assertThat(program.exitCode()).as(program.err()).isZero();
        return folder.resolve(output);
    }
}
