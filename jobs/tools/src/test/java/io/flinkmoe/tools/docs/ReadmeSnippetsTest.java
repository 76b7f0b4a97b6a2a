// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.docs;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.tools.Home;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The Java code of all Markdown files: it compiles, and its unit tests pass. {@link
 * SnippetFixtures} and {@link SnippetCompiler} have the names and imports that snippets may use.
 */
class ReadmeSnippetsTest {

    /** Not ours to read: builds, and what tools keep. */
    private static final Set<String> SKIPPED = Set.of("target", ".git", "node_modules", "shared");

    private static final int LONGEST_UNIT_TEST = 15;

    @TempDir private Path output;
    @TempDir private Path folder;

    static List<Snippet> snippets() throws IOException {
        List<Snippet> snippets = new ArrayList<>();
        for (Path file : markdownFiles(Home.ROOT)) {
            snippets.addAll(Snippet.in(Home.ROOT, file));
        }
        return snippets;
    }

    static List<Snippet> tests() throws IOException {
        return snippets().stream().filter(Snippet::isTest).toList();
    }

    private static List<Path> markdownFiles(Path directory) throws IOException {
        List<Path> files = new ArrayList<>();
        try (Stream<Path> children = Files.list(directory)) {
            for (Path child : children.sorted().toList()) {
                String name = child.getFileName().toString();
                if (Files.isDirectory(child)) {
                    if (!SKIPPED.contains(name)) {
                        files.addAll(markdownFiles(child));
                    }
                } else if (name.endsWith(".md")) {
                    files.add(child);
                }
            }
        }
        return files;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("snippets")
    void everySnippetCompiles(Snippet snippet) {
        new SnippetCompiler(output).compile(snippet);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("tests")
    void everyUnitTestPasses(Snippet snippet) throws Throwable {
        ClassLoader before = Thread.currentThread().getContextClassLoader();
        try (URLClassLoader loader = new SnippetCompiler(output).load(snippet)) {
            // A job that the snippet runs finds its classes here.
            Thread.currentThread().setContextClassLoader(loader);
            Class<?> type = SnippetCompiler.snippetClass(loader);
            for (Method method : type.getDeclaredMethods()) {
                if (method.isAnnotationPresent(Test.class)) {
                    call(method, type.getConstructor().newInstance());
                }
            }
        } finally {
            Thread.currentThread().setContextClassLoader(before);
        }
    }

    private void call(Method method, Object instance) throws Throwable {
        method.setAccessible(true);
        Object[] arguments =
                Arrays.stream(method.getParameters())
                        .map(
                                parameter -> {
                                    assertThat(parameter.isAnnotationPresent(TempDir.class))
                                            .as("%s is a @TempDir", parameter)
                                            .isTrue();
                                    return folder.resolve(method.getName());
                                })
                        .toArray();
        try {
            method.invoke(instance, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
    }

    @Test
    void theTopReadmeHasAShortUnitTest() throws IOException {
        assertThat(Snippet.in(Home.ROOT, Home.ROOT.resolve("README.md")))
                .filteredOn(Snippet::isTest)
                .singleElement()
                .satisfies(
                        snippet ->
                                assertThat(snippet.code())
                                        .hasSizeLessThanOrEqualTo(LONGEST_UNIT_TEST));
    }

    @Test
    void anErrorNamesFileAndLine() {
        List<String> code = List.of("import java.util.zip.CRC32;", "", "CRC32 sum = 1 + x;");
        Snippet wrong = new Snippet(Path.of("docs", "README.md"), 40, code);

        assertThatThrownBy(() -> new SnippetCompiler(output).compile(wrong))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining(Path.of("docs", "README.md") + ":42: cannot find symbol");
    }
}
