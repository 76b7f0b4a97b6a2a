// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.toMap;
import static java.util.stream.Collectors.toSet;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.scoring.cli.ScoringMain;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.jar.JarFile;
import java.util.regex.Pattern;
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
    }

    @Test
    void staysSmall() throws Exception {
        assertThat(Files.size(file)).isLessThan(15_500_000);
    }

    @Test
    void mainClassRunsTheJob() {
        assertThat(mainClass).isEqualTo(ScoringMain.class.getName());
    }

    @Test
    void bundlesTheLibraryTheConnectorAndTheirDependencies() {
        assertThat(entries)
                .contains(
                        "io/flinkmoe/MoeLayers.class",
                        "io/flinkmoe/schemas/Token.class",
                        "io/flinkmoe/scoring/ScoringJob.class",
                        "org/apache/flink/connector/kafka/source/KafkaSource.class",
                        "org/apache/kafka/clients/consumer/KafkaConsumer.class",
                        "org/apache/avro/Schema.class",
                        "picocli/CommandLine.class",
                        "com/fasterxml/jackson/dataformat/yaml/YAMLMapper.class",
                        "META-INF/LICENSE",
                        "META-INF/LICENSE-BUNDLED",
                        "META-INF/NOTICE");
    }

    /** No demo, drill, benchmark, fuzzer, broker or cluster: the job and what it is made of. */
    @Test
    void hasThePackagesOfTheJobAndNoOtherOfOurs() {
        assertThat(
                        entries.stream()
                                .filter(entry -> entry.matches("io/flinkmoe/.*[.]class"))
                                .map(entry -> entry.substring(0, entry.lastIndexOf('/')))
                                .distinct())
                .containsExactlyInAnyOrder(
                        "io/flinkmoe",
                        "io/flinkmoe/api",
                        "io/flinkmoe/capacity",
                        "io/flinkmoe/column",
                        "io/flinkmoe/config",
                        "io/flinkmoe/kafka",
                        "io/flinkmoe/kafka/decode",
                        "io/flinkmoe/kafka/pinned",
                        "io/flinkmoe/kafka/record",
                        "io/flinkmoe/kafka/registry",
                        "io/flinkmoe/kafka/source",
                        "io/flinkmoe/model",
                        "io/flinkmoe/model/proto",
                        "io/flinkmoe/onnx",
                        "io/flinkmoe/onnx/check",
                        "io/flinkmoe/onnx/layer",
                        "io/flinkmoe/routing",
                        "io/flinkmoe/routing/health",
                        "io/flinkmoe/runtime",
                        "io/flinkmoe/runtime/admission",
                        "io/flinkmoe/runtime/block",
                        "io/flinkmoe/runtime/combine",
                        "io/flinkmoe/runtime/dispatch",
                        "io/flinkmoe/runtime/expert",
                        "io/flinkmoe/runtime/head",
                        "io/flinkmoe/runtime/ingest",
                        "io/flinkmoe/runtime/layer",
                        "io/flinkmoe/runtime/replicated",
                        "io/flinkmoe/runtime/router",
                        "io/flinkmoe/runtime/shared",
                        "io/flinkmoe/runtime/slices",
                        "io/flinkmoe/schemas",
                        "io/flinkmoe/scoring",
                        "io/flinkmoe/scoring/cli",
                        "io/flinkmoe/scoring/record",
                        "io/flinkmoe/serialization",
                        "io/flinkmoe/tensor");
    }

    @Test
    void leavesOutWhatAnInstallationHas() throws Exception {
        assertThat(entries)
                .noneMatch(entry -> entry.startsWith("ai/onnxruntime/"))
                .noneMatch(entry -> entry.startsWith("org/rocksdb/"))
                .noneMatch(entry -> entry.startsWith("org/slf4j/"))
                .noneMatch(entry -> entry.startsWith("org/apache/logging/"))
                .noneMatch(entry -> entry.startsWith("org/apache/commons/"))
                .noneMatch(entry -> entry.startsWith("scala/"))
                .noneMatch(entry -> entry.startsWith("kafka/server/"));
        assertThat(entries.stream().filter(entry -> entry.endsWith(".class")))
                .filteredOn(entry -> entry.startsWith("org/apache/flink/"))
                .isSubsetOf(classes(bundled("flink-connector-kafka")));
    }

    /** The filters of the build leave out classes of Kafka's one by one. */
    @Test
    void namesNoClassOfKafkaThatTheBuildLeftOut() throws Exception {
        Set<String> missing = classes(bundled("kafka-clients"));
        missing.removeAll(entries);
        assertThat(missing).hasSizeGreaterThan(500);
        assertNoneIsNamed(missing, Pattern.compile("org[./]apache[./]kafka[./][\\w./$]+"));
    }

    /** They also leave out what only imports need. */
    @Test
    void namesNoClassOfOursThatTheBuildLeftOut() throws Exception {
        Set<String> missing = new HashSet<>();
        for (Path library : libraries()) {
            if (isOwn(library)) {
                missing.addAll(classes(library));
            }
        }
        missing.removeAll(entries);
        assertThat(missing).hasSizeGreaterThan(50);
        assertNoneIsNamed(missing, Pattern.compile("io[./]flinkmoe[./][\\w./$]+"));
    }

    private void assertNoneIsNamed(Set<String> missing, Pattern names) throws Exception {
        try (JarFile jar = new JarFile(file.toFile())) {
            for (String entry : entries) {
                if (entry.endsWith(".class")) {
                    byte[] code = jar.getInputStream(jar.getEntry(entry)).readAllBytes();
                    Stream<String> named =
                            names.matcher(new String(code, ISO_8859_1))
                                    .results()
                                    .map(name -> name.group().replace('.', '/') + ".class");
                    assertThat(named).as(entry).noneMatch(missing::contains);
                }
            }
        }
    }

    /** Each class comes out of a library that NOTICE names, and each library named is there. */
    @Test
    void noticeNamesEachBundledLibraryWithItsVersionAndLicense() throws Exception {
        String notice = text("META-INF/NOTICE");
        Map<String, String> licenses =
                Pattern.compile("(?m)^- (\\S+:\\S+:\\S+) \\((.+)\\)$")
                        .matcher(notice)
                        .results()
                        .collect(toMap(line -> line.group(1), line -> line.group(2)));
        Set<String> unexplained = new HashSet<>(entries);
        unexplained.removeIf(entry -> !entry.endsWith(".class"));
        Set<String> bundled = new HashSet<>();
        for (Path library : libraries()) {
            if (unexplained.removeAll(classes(library)) && !isOwn(library)) {
                bundled.add(coordinates(library, licenses.keySet()));
                assertThat(copyrights(library)).allMatch(notice::contains);
            }
        }

        assertThat(unexplained).isEmpty();
        assertThat(licenses.keySet()).isEqualTo(bundled);
        assertThat(licenses.values()).allMatch(text -> text.matches("(Apache-2.0|BSD-2).*"));
        String parts = text("META-INF/LICENSE-BUNDLED");
        assertThat(
                        List.of(
                                "zstd-jni",
                                "Zstandard",
                                "libdivsufsort-lite",
                                "lz4-java",
                                "LZ4",
                                "xxHash",
                                "snappy-java",
                                "Snappy",
                                "Bitshuffle",
                                "protobuf-java"))
                .allMatch(part -> parts.contains(part) && notice.contains(part));
    }

    private static boolean isOwn(Path library) {
        return library.getFileName().toString().startsWith("flink-moe-");
    }

    /** group:artifact:version as NOTICE has it, or else as the repository's path shows it. */
    private static String coordinates(Path library, Set<String> noticed) {
        Path version = library.getParent();
        Path artifact = version.getParent();
        String end = ":" + artifact.getFileName() + ":" + version.getFileName();
        return noticed.stream()
                .filter(name -> name.endsWith(end))
                .filter(name -> artifact.getParent().endsWith(name.split(":")[0].replace('.', '/')))
                .findAny()
                .orElse(artifact.getParent() + end);
    }

    /** The lines of a library's own NOTICE that say whose it is. */
    private static List<String> copyrights(Path library) throws Exception {
        try (JarFile jar = new JarFile(library.toFile())) {
            for (String name : List.of("META-INF/NOTICE", "NOTICE")) {
                ZipEntry notice = jar.getEntry(name);
                if (notice != null) {
                    return new String(jar.getInputStream(notice).readAllBytes(), UTF_8)
                            .lines()
                            .map(String::strip)
                            .filter(line -> line.startsWith("Copyright "))
                            // Of parts of Kafka that its client is not.
                            .filter(line -> !line.contains("Lightbend"))
                            .filter(line -> !line.contains("Seigneurin"))
                            .toList();
                }
            }
        }
        return List.of();
    }

    private static Path bundled(String artifact) throws Exception {
        return libraries().stream()
                .filter(path -> path.getFileName().toString().startsWith(artifact))
                .findAny()
                .orElseThrow();
    }

    /** What the program runs on, beside Flink's own: what the job jar is made of. */
    private static List<Path> libraries() throws Exception {
        List<Path> files = new ArrayList<>();
        files.add(Path.of(file.toString().replace("-job.jar", ".jar"))); // of this module
        for (String path :
                Files.readString(Path.of("target/runtime.classpath")).strip().split(":")) {
            files.add(Path.of(path));
        }
        return files;
    }

    private static Set<String> classes(Path library) throws Exception {
        try (JarFile jar = new JarFile(library.toFile())) {
            return jar.stream()
                    .map(ZipEntry::getName)
                    .filter(entry -> entry.endsWith(".class"))
                    .collect(toSet());
        }
    }

    private static String text(String entry) throws Exception {
        try (JarFile jar = new JarFile(file.toFile())) {
            return new String(jar.getInputStream(jar.getEntry(entry)).readAllBytes(), UTF_8);
        }
    }

    @Test
    void hasNoSignaturesNoModulesAndNoLoggingOfItsOwn() {
        assertThat(entries)
                .noneMatch(entry -> entry.matches("META-INF/[^/]*\\.(SF|DSA|RSA)"))
                .noneMatch(entry -> entry.endsWith("module-info.class"))
                .noneMatch(entry -> entry.startsWith("log4j2"));
    }
}
