package io.flinkmoe.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.jar.JarFile;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What goes to a Flink cluster: all that its installation lacks, and nothing that it has. */
class JobJarIT {

    private static Path file;
    private static List<String> entries;
    private static String mainClass;

    @BeforeAll
    static void open() throws Exception {
        try (Stream<Path> files = Files.list(Path.of("target"))) {
            file =
                    files.filter(path -> path.toString().endsWith("-job.jar"))
                            .findAny()
                            .orElseThrow();
        }
        try (JarFile jar = new JarFile(file.toFile())) {
            entries = jar.stream().map(ZipEntry::getName).toList();
            mainClass = jar.getManifest().getMainAttributes().getValue("Main-Class");
        }
    }

    @Test
    void hasTheNativesOfLinuxOnly() throws Exception {
        assertThat(entries.stream().filter(entry -> entry.matches(".*[.](so|dll|dylib|jnilib|a)")))
                .hasSize(6)
                .allMatch(entry -> entry.toLowerCase(Locale.ROOT).contains("linux/"))
                .allMatch(entry -> entry.matches(".*/(amd64|x86_64|aarch64)/.*"));
        assertThat(Files.size(file)).isLessThan(20_000_000);
    }

    @Test
    void mainClassIsTheProgram() {
        assertThat(mainClass).isEqualTo(Moe.class.getName());
    }

    @Test
    void bundlesTheLibraryTheConnectorAndTheirDependencies() {
        assertThat(entries)
                .contains(
                        "io/flinkmoe/MoeLayers.class",
                        "io/flinkmoe/schemas/Token.class",
                        "io/flinkmoe/jobs/kafka/ScoringJob.class",
                        "org/apache/flink/connector/kafka/source/KafkaSource.class",
                        "org/apache/kafka/clients/consumer/KafkaConsumer.class",
                        "org/apache/avro/Schema.class",
                        "picocli/CommandLine.class",
                        "com/fasterxml/jackson/dataformat/yaml/YAMLMapper.class",
                        "META-INF/LICENSE",
                        "META-INF/NOTICE");
    }

    @Test
    void leavesOutWhatAnInstallationHas() {
        assertThat(entries)
                .noneMatch(entry -> entry.startsWith("ai/onnxruntime/"))
                .noneMatch(entry -> entry.startsWith("org/slf4j/"))
                .noneMatch(entry -> entry.startsWith("org/apache/logging/"))
                .noneMatch(entry -> entry.startsWith("scala/"))
                .noneMatch(entry -> entry.startsWith("kafka/server/"))
                .noneMatch(entry -> entry.startsWith("org/apache/flink/runtime/"))
                .noneMatch(entry -> entry.startsWith("org/apache/flink/connector/base/"))
                .noneMatch(entry -> entry.startsWith("org/apache/flink/api/"));
    }

    @Test
    void hasNoSignaturesNoModulesAndNoLoggingOfItsOwn() {
        assertThat(entries)
                .noneMatch(entry -> entry.matches("META-INF/[^/]*\\.(SF|DSA|RSA)"))
                .noneMatch(entry -> entry.endsWith("module-info.class"))
                .noneMatch(entry -> entry.startsWith("log4j2"));
    }
}
