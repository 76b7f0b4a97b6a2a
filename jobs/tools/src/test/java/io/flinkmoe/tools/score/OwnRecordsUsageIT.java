// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.tools.Program;
import io.flinkmoe.tools.flights.FlightsBundle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The exit code tells options that are wrong (2) from systems that do not answer (1). */
class OwnRecordsUsageIT {

    private static final String SECRET = "geheim-4711";

    @TempDir private static Path dir;

    private static Path bundle;

    @BeforeAll
    static void start() throws Exception {
        bundle = FlightsBundle.create(dir);
    }

    @Test
    void whatContradictsOrIsMissingIsInvalidUsage() {
        assertEnd(
                2,
                "moe.record.stream is missing; allowed with moe.format: json",
                "--format=json",
                "--key.format=json");
        assertEnd(
                2,
                "moe.record.keep has the path 'a..b'; allowed: names separated by dots",
                "--format=json",
                "--record.stream=card",
                "--record.keep=a..b");
        assertEnd(
                2,
                "moe.registry.token is not usable in an HTTP header",
                "--format=avro-registry",
                "--record.stream=card",
                "--registry.url=http://localhost:1",
                "--registry.token=" + SECRET + " x");
        assertEnd(
                2,
                "moe.registry.url: the URL of localhost contains credentials",
                "--format=avro-registry",
                "--record.stream=card",
                "--registry.url=http://u:" + SECRET + "@localhost:1");
        assertEnd(
                2,
                "moe.registry.trust-store, moe.registry.trust-store-password: cannot read the trust store nowhere.p12",
                "--format=avro-registry",
                "--record.stream=card",
                "--registry.url=https://localhost:1",
                "--registry.trust-store=nowhere.p12",
                "--registry.trust-store-password=" + SECRET);
    }

    @Test
    void whatDoesNotFitTheModelOrTheSchemaIsInvalidUsage() throws Exception {
        assertEnd(
                2,
                "moe.record: features.y: no input of the model has this name",
                "--format=json",
                "--record.stream=card",
                "-Dmoe.record.features.y=a");
        Path file = Files.writeString(dir.resolve("payment.avsc"), Payments.FIRST.toString());
        assertEnd(
                2,
                "moe.record: cart is not in the schema; pay.Payment has the fields ",
                "--format=avro",
                "--record.stream=cart",
                "--record.schema=" + file,
                "-Dmoe.record.features.x=" + Payments.FEATURES);
        Program all =
                assertEnd(
                        2,
                        "; nothing is not in the schema; pay.Payment has the fields ",
                        "--format=avro",
                        "--record.stream=cart",
                        "--record.schema=" + file,
                        "--record.keep=nothing",
                        "-Dmoe.record.features.x=" + Payments.FEATURES);
        assertThat(all.err()).contains("moe.record: cart is not in the schema");
        Path other =
                Files.writeString(
                        dir.resolve("other.avsc"),
                        "{\"type\": \"record\", \"name\": \"O\", \"fields\": [{\"name\": \"o\", \"type\": \"int\"}]}");
        assertEnd(
                2,
                "moe.record: answer-schema is the file %s: answers cannot be written with the schema O: "
                        .formatted(other),
                "--format=avro",
                "--record.stream=card.id",
                "--record.schema=" + file,
                "--record.answer-schema=" + other,
                "-Dmoe.record.features.x=" + Payments.FEATURES);
    }

    @Test
    void aSchemaFileThatCannotBeUsedIsInvalidUsage() throws Exception {
        Path missing = dir.resolve("missing.avsc");
        Path broken = Files.writeString(dir.resolve("broken.avsc"), "{\"type\": \"recor\"}");
        String[][] options = {
            {"record.schema", "--format=avro", "--record.stream=card"},
            {
                "key.schema", "--format=json", "--record.stream=key.id", "--key.format=avro",
            },
        };
        for (String[] option : options) {
            List<String> arguments = new ArrayList<>(List.of(option).subList(1, option.length));
            arguments.add("--" + option[0] + "=" + missing);
            Program program =
                    assertEnd(
                            2,
                            "moe.%s: the schema file %s cannot be used: there is no such file"
                                    .formatted(option[0], missing),
                            arguments.toArray(String[]::new));
            assertThat(program.err()).hasLineCount(2);
            arguments.set(arguments.size() - 1, "--" + option[0] + "=" + broken);
            program =
                    assertEnd(
                            2,
                            "moe.%s: the schema file %s cannot be used: it has no Avro schema: "
                                    .formatted(option[0], broken),
                            arguments.toArray(String[]::new));
            assertThat(program.err()).hasLineCount(2);
        }
    }

    @Test
    void aRegistryThatDoesNotAnswerIsAFailure() {
        assertEnd(
                1,
                "the schema registry does not answer: http://localhost:1 does not answer",
                "--format=avro-registry",
                "--record.stream=card",
                "--registry.url=http://localhost:1",
                "--registry.token=" + SECRET);
    }

    private static Program assertEnd(int exitCode, String message, String... options) {
        List<Object> all = new ArrayList<>();
        all.addAll(List.of("score", "--dry-run", "--bundle", bundle));
        all.addAll(List.of("--kafka.brokers=localhost:1", "--source.topic=in"));
        all.addAll(List.of("--sink.topic=out", "--dead-letter.topic=dead"));
        all.addAll(List.of(options));
        Program program = Program.run(all.toArray());
        assertThat(program.err()).contains(message).doesNotContain(SECRET);
        assertThat(program.exitCode()).as(program.err()).isEqualTo(exitCode);
        return program;
    }
}
