// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.machine;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.tools.Home;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class ChildJvmTest {

    /** What a JVM makes of a name that Kafka writes in upper case. */
    static final class Main {
        private Main() {}

        public static void main(String[] args) {
            System.out.println(
                    "classic".toUpperCase(Locale.getDefault()) + " " + Charset.defaultCharset());
        }
    }

    @Test
    void turkishEnvironmentChangesNeitherCaseNorEncoding() throws Exception {
        List<String> command = ChildJvm.command();
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment()
                .put("JAVA_TOOL_OPTIONS", "-Duser.language=tr -Duser.country=TR -Duser.variant=x");
        builder.environment().put("LC_ALL", "C");
        Process process = builder.redirectError(ProcessBuilder.Redirect.DISCARD).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

        assertThat(process.waitFor()).isZero();
        assertThat(output).isEqualTo("CLASSIC UTF-8" + System.lineSeparator());
    }

    @Test
    void everyJvmOfTheProgramIsStartedThisWay() throws IOException {
        try (Stream<Path> sources = Files.walk(Home.ROOT.resolve("jobs/tools/src/main/java"))) {
            assertThat(
                            sources.filter(Files::isRegularFile)
                                    .filter(file -> read(file).contains("\"java.home\"")))
                    .extracting(file -> file.getFileName().toString())
                    .containsExactly("ChildJvm.java");
        }
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
