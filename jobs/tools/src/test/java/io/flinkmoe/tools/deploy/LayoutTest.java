// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The script {@code layout}, over builds of both kinds, with jars that are small. */
class LayoutTest {

    private static final Path SCRIPT = Path.of("..", "..", "deploy", "container", "layout");
    private static final String CPU = "onnxruntime-1.2.3.jar";
    private static final String GPU = "onnxruntime_gpu-1.2.3.jar";

    @TempDir private Path folder;
    private Path root;
    private Path jobs;

    private record Ended(int exitCode, String output) {}

    /** A project that was built, and in place of Maven a script that has both jars. */
    @BeforeEach
    void build() throws IOException {
        root = folder.resolve("project");
        jobs = Files.createDirectories(root.resolve("jobs/scoring/target"));
        Path container = Files.createDirectories(root.resolve("deploy/container/conf")).getParent();
        Files.copy(SCRIPT, container.resolve("layout"));
        for (String file : List.of("config.yaml", "gpu.yaml")) {
            Files.copy(
                    SCRIPT.resolveSibling("conf").resolve(file),
                    container.resolve("conf").resolve(file));
        }
        Files.writeString(jobs.resolve("flink-moe-scoring-1-job.jar"), "a jar");
        writeJar(folder.resolve(CPU));
        writeJar(folder.resolve(GPU));
        Path maven = Files.createDirectories(folder.resolve("bin")).resolve("mvn");
        Files.writeString(
                maven,
                """
                #!/bin/bash
                for option; do
                    case $option in
                    -DoutputDirectory=*) to=${option#*=} ;;
                    -Dartifact=*) IFS=: read -r _ artifact version <<<"${option#*=}" ;;
                    esac
                done
                cp "%s/$artifact-$version.jar" "$to/"
                """
                        .formatted(folder));
        assertThat(maven.toFile().setExecutable(true)).isTrue();
    }

    private static void writeJar(Path file) throws IOException {
        try (OutputStream out = Files.newOutputStream(file);
                JarOutputStream jar = new JarOutputStream(out)) {
            for (String entry :
                    List.of(
                            "ai/onnxruntime/OrtSession.class",
                            "ai/onnxruntime/native/linux-x64/libonnxruntime.so",
                            "ai/onnxruntime/native/win-x64/onnxruntime.dll")) {
                jar.putNextEntry(new JarEntry(entry));
                jar.write(1);
                jar.closeEntry();
            }
        }
    }

    private void builtWith(String jar) throws IOException {
        Files.writeString(
                jobs.resolve("provided.classpath"),
                "/lib/onnxruntime-extra.jar:%s:/lib/b-1.jar\n".formatted(folder.resolve(jar)));
    }

    @ParameterizedTest
    @CsvSource({CPU + ",false", GPU + ",true"})
    void aBuildOfEitherKindMakesTheLayoutForCpus(String built, boolean fetches) throws Exception {
        builtWith(built);

        Ended layout = layout("cpu");

        assertThat(layout.exitCode).as(layout.output).isZero();
        assertThat(layout.output.contains("Fetching onnxruntime 1.2.3")).isEqualTo(fetches);
        assertThat(files(folder.resolve("cpu")))
                .containsExactly("conf/config.yaml", "lib/" + CPU, "usrlib/flink-moe-job.jar");
    }

    @ParameterizedTest
    @CsvSource({CPU + ",true", GPU + ",false"})
    void aBuildOfEitherKindMakesTheLayoutForGpus(String built, boolean fetches) throws Exception {
        builtWith(built);

        Ended layout = layout("--gpu", "gpu");

        assertThat(layout.exitCode).as(layout.output).isZero();
        assertThat(layout.output.contains("Fetching onnxruntime_gpu 1.2.3")).isEqualTo(fetches);
        assertThat(files(folder.resolve("gpu")))
                .containsExactly(
                        "conf/config.yaml",
                        "lib/" + GPU,
                        "onnxruntime/libonnxruntime.so",
                        "usrlib/flink-moe-job.jar");
        try (JarFile jar = new JarFile(folder.resolve("gpu/lib").resolve(GPU).toFile())) {
            assertThat(jar.stream().map(JarEntry::getName).filter(name -> !name.endsWith("/")))
                    .containsExactly("ai/onnxruntime/OrtSession.class");
        }
    }

    @Test
    void saysWhatToDoWhereTheBuildsOnnxRuntimeIsGone() throws Exception {
        builtWith("onnxruntime-9.9.9.jar");

        Ended layout = layout("cpu");

        assertThat(layout.exitCode).isEqualTo(1);
        assertThat(layout.output).contains("ONNX Runtime", "Run: mvn clean package -DskipTests");
        assertThat(folder.resolve("cpu")).doesNotExist();
    }

    @Test
    void saysWhatToDoWhereNothingIsBuilt() throws Exception {
        Ended layout = layout("cpu");

        assertThat(layout.exitCode).isEqualTo(1);
        assertThat(layout.output).contains("no single job jar", "mvn clean package -DskipTests");
    }

    private Ended layout(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("bash", root + "/deploy/container/layout"));
        command.addAll(List.of(arguments));
        Path output = folder.resolve("output.txt");
        ProcessBuilder builder =
                new ProcessBuilder(command)
                        .directory(folder.toFile())
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile());
        builder.environment().merge("PATH", folder + "/bin", (path, bin) -> bin + ":" + path);
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        Process process = builder.start();
        try {
            assertThat(process.waitFor(1, TimeUnit.MINUTES)).as("the script ended").isTrue();
        } finally {
            process.destroy();
        }
        try (Stream<Path> left = Files.list(folder)) {
            assertThat(left.map(Path::getFileName).map(Path::toString))
                    .noneMatch(name -> name.startsWith("layout-"));
        }
        return new Ended(process.exitValue(), Files.readString(output));
    }

    private static Set<String> files(Path layout) throws IOException {
        try (Stream<Path> all = Files.walk(layout)) {
            return new TreeSet<>(
                    all.filter(Files::isRegularFile)
                            .map(file -> layout.relativize(file).toString())
                            .toList());
        }
    }
}
