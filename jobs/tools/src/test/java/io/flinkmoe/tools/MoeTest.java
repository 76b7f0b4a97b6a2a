// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MoeTest {

    @TempDir private Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "demo", "score", "cluster", "drill", "soak", "import", "inspect", "explain",
                "forward"
            })
    void everyCommandHasHelpWithExamples(String command) {
        Program program = Program.run(command, "--help");

        assertThat(program.exitCode()).isZero();
        assertThat(program.err()).isEmpty();
        assertThat(program.out())
                .contains("Usage: moe " + command)
                .contains("Examples:")
                .contains("moe " + command + " ")
                .contains("Exit codes:");
    }

    @Test
    void versionNamesFlinkAndJava() {
        Program program = Program.run("--version");

        assertThat(program.exitCode()).isZero();
        assertThat(program.out()).contains("flink-moe", "Apache Flink 2.", "Java ");
    }

    @Test
    void withoutCommandShowsWhichThereAre() {
        Program program = Program.run();

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err()).contains("demo", "score", "import", "inspect", "forward");
        assertThat(program.err()).doesNotContain("options");
    }

    @Test
    void unknownCommandIsWrongUse() {
        Program program = Program.run("demmo");

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err()).contains("demmo").contains("demo").contains("See moe --help.");
    }

    @Test
    void missingOptionIsWrongUseAndNamesIt() {
        Program program = Program.run("forward", "--bundle", "model");

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err())
                .startsWith("moe: ")
                .contains("--input", "--output", "See moe forward --help.")
                .doesNotContain("Usage:");
    }

    @Test
    void explainNamesTheOptionThatNeitherTheCommandLineNorTheFileHas() throws Exception {
        Path file = Files.writeString(folder.resolve("job.yaml"), "moe.kafka.brokers: a:1\n");

        Program program =
                Program.run("explain", "--config", file, "--stream", "s", "--position", 1);

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err())
                .contains("moe.decision-log.topic is missing", "See moe explain --help.");
    }

    @Test
    void engineThatDoesNotExistIsWrongUseAndNamesThoseThatDo() {
        Program program =
                Program.run(
                        "forward",
                        "--bundle",
                        "b",
                        "--input",
                        "i",
                        "--output",
                        "o",
                        "--engine",
                        "gpu");

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err()).contains("reference", "flink", "gpu");
    }

    @Test
    void parallelismWithoutFlinkIsWrongUse() {
        Program program =
                Program.run(
                        "forward",
                        "--bundle",
                        "b",
                        "--input",
                        "i",
                        "--output",
                        "o",
                        "--parallelism",
                        2);

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err()).contains("--parallelism requires --engine flink");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"--rate=-1", "--parallelism=0", "--events=0", "--window=soon", "--window=0"})
    void demoRefusesFiguresOutOfRange(String option) {
        Program program = Program.run("demo", option);

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err())
                .contains(option.substring(0, option.indexOf('=')))
                .contains("allowed");
    }

    @Test
    void demoRefusesModelsThatItDoesNotHave() {
        Program unknown = Program.run("demo", "--model", "arrival");
        Program dense = Program.run("demo", "--dense");

        assertThat(unknown.exitCode()).isEqualTo(2);
        assertThat(unknown.err()).contains("--model").contains("allowed: late, delay");
        assertThat(dense.exitCode()).isEqualTo(2);
        assertThat(dense.err()).contains("--dense requires --model delay");
    }

    @Test
    void demoRefusesAReportThatCannotBeWrittenBeforeItRuns() {
        Program missing = Program.run("demo", "--report", folder.resolve("no/out.html"));
        Program isFolder = Program.run("demo", "--report", folder);

        assertThat(missing.exitCode()).isEqualTo(2);
        assertThat(missing.err())
                .contains("--report is " + folder, "allowed: a file in a writable folder");
        assertThat(isFolder.exitCode()).isEqualTo(2);
        assertThat(isFolder.err()).contains("--report is " + folder, "allowed: a file");
    }

    @ParameterizedTest
    @ValueSource(strings = {"cluster start", "soak"})
    void heapThatIsNoSizeIsRefused(String command) {
        Program program = Program.run((Object[]) (command + " --heap lots").split(" "));

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err()).contains("--heap", "'lots'; allowed: a size such as 512m or 1g");
        assertThat(program.out()).isEmpty();
    }

    @Test
    void soakRefusesATooSmallHeapBeforeItStarts() {
        Program program = Program.run("soak", "--heap", "100m");

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err()).contains("100 mb; allowed: 256 mb or more");
        assertThat(program.out()).isEmpty();
    }

    @Test
    void benchRefusesOptionsThatDoNotExist() {
        Program program =
                Program.run(
                        "bench", "-D", "moe.lane=2", "--output", folder.resolve("figures.json"));

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err()).contains("moe.lane is not an option; similar options: moe.lanes");
    }

    @Test
    void failureIsOneLineAndPointsToMore() {
        Path missing = folder.resolve("model");

        Program program = Program.run("inspect", missing);

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err())
                .startsWith("moe: ")
                .contains(missing.toString())
                .contains("--verbose")
                .doesNotContain("at io.flinkmoe");
    }

    @Test
    void verboseFailureHasTheStackTrace() {
        Program program = Program.run("inspect", folder.resolve("model"), "--verbose");

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err()).contains("at io.flinkmoe");
    }

    @Test
    void badConfigurationIsWrongUse() throws Exception {
        Path file = Files.writeString(folder.resolve("job.yaml"), "moe.capacity.policy: some\n");

        Program program = Program.run("score", "--config", file);

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err())
                .contains("moe.capacity.policy is 'some'; allowed: none, fixed, factor")
                .contains("moe score --help");
    }
}
