// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.docs;

import java.io.IOException;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

/**
 * Compiles snippets, each as a subclass of {@link SnippetFixtures} with the imports below. A
 * snippet may have imports of its own.
 */
final class SnippetCompiler {

    private static final String CLASS = "ReaderCode";

    private static final List<String> IMPORTS =
            List.of(
                    "static io.flinkmoe.testing.MoeAssertions.assertThat",
                    "io.flinkmoe.*",
                    "io.flinkmoe.api.*",
                    "io.flinkmoe.config.*",
                    "io.flinkmoe.kafka.*",
                    "io.flinkmoe.model.*",
                    "io.flinkmoe.reference.*",
                    "io.flinkmoe.schemas.MalformedRecordException",
                    "io.flinkmoe.schemas.ScoredTokenEncoder",
                    "io.flinkmoe.schemas.TokenDecoder",
                    "io.flinkmoe.schemas.TokenEncoder",
                    "io.flinkmoe.testing.*",
                    "java.nio.file.Path",
                    "java.time.*",
                    "java.util.*",
                    "org.apache.avro.message.BinaryMessageDecoder",
                    "org.apache.flink.api.common.eventtime.*",
                    "org.apache.flink.configuration.*",
                    "org.apache.flink.connector.kafka.sink.*",
                    "org.apache.flink.connector.kafka.source.*",
                    "org.apache.flink.streaming.api.datastream.*",
                    "org.apache.flink.streaming.api.environment.*",
                    "org.junit.jupiter.api.*",
                    "org.junit.jupiter.api.io.TempDir");

    private final Path output;

    /**
     * @param output an empty folder
     */
    SnippetCompiler(Path output) {
        this.output = output;
    }

    /**
     * Compiles a snippet.
     *
     * @throws AssertionError with file, line and message of every error
     */
    void compile(Snippet snippet) {
        JavaCompiler javac = ToolProvider.getSystemJavaCompiler();
        DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
        List<String> arguments =
                List.of(
                        "-d",
                        output.toString(),
                        "-classpath",
                        System.getProperty("java.class.path"),
                        "-proc:none");
        List<String> lines = new ArrayList<>();
        int codeStart = write(snippet, lines);
        boolean compiled =
                javac.getTask(null, null, found, arguments, null, List.of(new Source(lines)))
                        .call();
        if (!compiled) {
            StringBuilder errors = new StringBuilder("The README's Java does not compile:");
            for (Diagnostic<? extends JavaFileObject> diagnostic : found.getDiagnostics()) {
                if (diagnostic.getKind() == Diagnostic.Kind.ERROR) {
                    errors.append(
                            "%n%s:%d: %s"
                                    .formatted(
                                            snippet.file(),
                                            snippet.line()
                                                    + diagnostic.getLineNumber()
                                                    - 1
                                                    - codeStart,
                                            diagnostic.getMessage(Locale.ROOT)));
                }
            }
            throw new AssertionError(errors.toString());
        }
    }

    /** Compiles and loads a snippet. */
    URLClassLoader load(Snippet snippet) throws IOException {
        compile(snippet);
        return new URLClassLoader(
                new URL[] {output.toUri().toURL()}, SnippetCompiler.class.getClassLoader());
    }

    /** The class of a snippet that {@link #load} has loaded. */
    static Class<?> snippetClass(ClassLoader loader) throws ClassNotFoundException {
        return loader.loadClass(CLASS);
    }

    /** Writes the class; gives the number of lines before the code. */
    private static int write(Snippet snippet, List<String> lines) {
        IMPORTS.forEach(name -> lines.add("import %s;".formatted(name)));
        snippet.code().stream().filter(SnippetCompiler::isImport).forEach(lines::add);
        lines.add("public class %s extends %s {".formatted(CLASS, SnippetFixtures.class.getName()));
        lines.add(snippet.isTest() ? "" : "void run() throws Exception {");
        int codeStart = lines.size();
        // An import leaves an empty line, so that lines can be counted.
        snippet.code().forEach(text -> lines.add(isImport(text) ? "" : text));
        lines.add(snippet.isTest() ? "}" : "}}");
        return codeStart;
    }

    private static boolean isImport(String line) {
        return line.startsWith("import ");
    }

    private static final class Source extends SimpleJavaFileObject {

        private final List<String> lines;

        Source(List<String> lines) {
            super(URI.create("string:///" + CLASS + ".java"), Kind.SOURCE);
            this.lines = lines;
        }

        @Override
        public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return String.join("\n", lines);
        }
    }
}
