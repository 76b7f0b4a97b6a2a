package io.flinkmoe.jobs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.stream.Token;
import io.flinkmoe.tensor.SafetensorsFile;
import io.flinkmoe.tensor.SafetensorsWriter;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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

    @Test
    void inspectShowsTheModelAndItsParts() {
        Program program = Program.run("inspect", folder.resolve("model"));

        assertThat(program.exitCode()).isZero();
        assertThat(program.out())
                .contains(
                        "softmax, top 2, renormalised", "expert 7", "encoder", "head", "verified");
    }

    @Test
    void inputOfAnotherWidthIsNamed() throws Exception {
        Path input = folder.resolve("wide.safetensors");
        new SafetensorsWriter().add("x", new long[] {1, 3}, new float[3]).writeTo(input);

        Program program =
                Program.run(
                        "forward",
                        "--bundle",
                        folder.resolve("model"),
                        "--input",
                        input,
                        "--output",
                        folder.resolve("none"));

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err()).contains(input + ": x is [1, 3]; the model takes [T, 10]");
    }

    private static Path forward(String output, Object... more) {
        List<Object> arguments = new java.util.ArrayList<>();
        arguments.addAll(
                List.of(
                        "forward",
                        "--bundle",
                        folder.resolve("model"),
                        "--input",
                        folder.resolve("in.safetensors"),
                        "--output",
                        folder.resolve(output)));
        arguments.addAll(List.of(more));
        Program program = Program.run(arguments.toArray());
        assertThat(program.exitCode()).as(program.err()).isZero();
        return folder.resolve(output);
    }
}
