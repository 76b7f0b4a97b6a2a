// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.deploy;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.tools.Home;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The script {@code moe}, in a project without content, with a script in place of java. */
class LauncherTest {

    @TempDir private Path folder;
    private Path script;

    @BeforeEach
    void build() throws IOException {
        Path root = folder.resolve("project");
        script = Files.createDirectories(root.resolve("deploy/bin")).resolve("moe");
        Files.copy(Home.ROOT.resolve("deploy/bin/moe"), script);
        for (String module :
                List.of("", "schemas", "operators/core", "operators/kafka", "jobs/scoring")) {
            Files.createDirectories(root.resolve(module).resolve("src/main"));
            Files.writeString(root.resolve(module).resolve("pom.xml"), "");
        }
        Path target = Files.createDirectories(root.resolve("jobs/tools/target"));
        Files.createDirectories(root.resolve("jobs/tools/src/main"));
        Files.writeString(root.resolve("jobs/tools/pom.xml"), "");
        Files.writeString(target.resolve("flink-moe-tools-1.jar"), "");
        Files.writeString(target.resolve("runtime.classpath"), "a.jar");
        Files.writeString(target.resolve("provided.classpath"), "b.jar");
        Path java = Files.createDirectories(folder.resolve("jdk/bin")).resolve("java");
        Files.writeString(
                java,
                """
                #!/bin/bash
                case "$*" in
                *-version*) echo "    java.specification.version = 17" >&2 ;;
                *) echo "charmap $(locale charmap)"; printf '%s\\n' "$@" ;;
                esac
                """);
        assertThat(java.toFile().setExecutable(true)).isTrue();
    }

    private String run(String locale) throws Exception {
        ProcessBuilder builder = new ProcessBuilder("bash", script.toString(), "inspect", "x");
        builder.environment().keySet().removeIf(name -> name.startsWith("LC_"));
        builder.environment().put("LANG", locale);
        builder.environment().put("JAVA_HOME", folder.resolve("jdk").toString());
        builder.environment().put("TMPDIR", folder.toString());
        builder.environment().put("JVM_ARGS", "-Dmine=1");
        Process process = builder.redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }

    @Test
    void theJvmGetsALocaleWhoseEncodingIsUtf8() throws Exception {
        for (String locale : List.of("C", "POSIX", "tr_TR.ISO-8859-9", "no_such_locale")) {
            assertThat(run(locale).toUpperCase(Locale.ROOT)).contains("CHARMAP UTF-8");
        }
    }

    @Test
    void theLanguageOfTheMachineDoesNotReachTheJvmButItsUserCanSetOne() throws Exception {
        List<String> arguments = run("tr_TR.UTF-8").lines().toList();

        assertThat(arguments)
                .contains("-Duser.language=en", "-Duser.country=US", "-Dfile.encoding=UTF-8");
        assertThat(arguments.indexOf("-Dmine=1"))
                .isGreaterThan(arguments.indexOf("-Dfile.encoding=UTF-8"));
        assertThat(arguments).endsWith("io.flinkmoe.tools.Moe", "inspect", "x");
    }
}
