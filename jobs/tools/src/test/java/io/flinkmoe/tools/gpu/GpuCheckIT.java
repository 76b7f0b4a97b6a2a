// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.gpu;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The script, and the archive that it makes, in processes of their own. */
class GpuCheckIT {

    private static final Path SCRIPT = Path.of("..", "..", "deploy", "gpu-check").toAbsolutePath();
    private static final String[] TRY = {
        "--device", "cpu", "--small", "--batch", "64", "--seconds", "0.1"
    };

    @TempDir private Path folder;

    private record Ended(int exitCode, String output) {}

    @Test
    @Tag("slow")
    void runsToItsEndOnTheCpu() throws Exception {
        Ended check = run(SCRIPT, TRY);

        assertThat(check.exitCode).as(check.output).isZero();
        assertThat(check.output)
                .containsPattern("small-large +fp32 +8/8 ")
                .containsPattern("small-large +fp16 +8/8 ")
                .containsPattern("small-deepseek-v3 +fp32 +32/32 ")
                .containsPattern("small-deepseek-v3 +fp16 +32/32 ")
                .contains("All answers are as exact as their precision allows.");
    }

    @Test
    void helps() throws Exception {
        Ended help = run(SCRIPT, "--help");

        assertThat(help.exitCode).as(help.output).isZero();
        assertThat(help.output).contains("--device=cuda|cpu", "--help");
    }

    @Test
    @Tag("slow")
    void runsOutOfItsArchiveWithTheJavaThatGoesAlong() throws Exception {
        Path archive = folder.resolve("check.tar.gz");
        Ended packed = run(SCRIPT, "--archive", archive.toString());
        assertThat(packed.exitCode).as(packed.output).isZero();

        Ended unpacked = run(Path.of("tar"), "-xzf", archive.toString(), "-C", folder.toString());
        assertThat(unpacked.exitCode).as(unpacked.output).isZero();
        Ended check = run(folder.resolve("gpu-check/gpu-check"), TRY);
        assertThat(check.exitCode).as(check.output).isZero();
        assertThat(check.output).contains("All answers are as exact as their precision allows.");
    }

    @Test
    void saysWhatIsMissingForAGpu() throws Exception {
        Ended check = run(SCRIPT, "--small");

        assertThat(check.exitCode).isEqualTo(1);
        assertThat(check.output).contains("onnxruntime_gpu", "mvn -Pgpu");
    }

    /** With a temporary folder that must be empty after. */
    private Ended run(Path program, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(program.toString()));
        command.addAll(List.of(arguments));
        Path output = Files.createTempFile(folder, "output", ".txt");
        Path temporary = Files.createTempDirectory(folder, "temporary");
        ProcessBuilder builder =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile());
        builder.environment().put("TMPDIR", temporary.toString());
        Process process = builder.start();
        try {
            assertThat(process.waitFor(3, TimeUnit.MINUTES)).as("the script ended").isTrue();
        } finally {
            process.destroy();
        }
        assertThat(temporary).isEmptyDirectory();
        return new Ended(process.exitValue(), Files.readString(output));
    }
}
