// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.docs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A Java code block of a Markdown file.
 *
 * @param file relative to the project's root
 * @param line the file's line that the first line of the code is on, from 1
 */
record Snippet(Path file, int line, List<String> code) {

    private static final String START = "```java";
    private static final String END = "```";

    /** All Java code blocks of a file. */
    static List<Snippet> in(Path root, Path file) throws IOException {
        List<Snippet> snippets = new ArrayList<>();
        List<String> lines = Files.readAllLines(file);
        for (int i = 0; i < lines.size(); i++) {
            if (lines.get(i).strip().equals(START)) {
                int first = i + 1;
                while (!lines.get(i + 1).strip().equals(END)) {
                    i++;
                }
                snippets.add(
                        new Snippet(
                                root.relativize(file),
                                first + 1,
                                List.copyOf(lines.subList(first, i + 1))));
            }
        }
        return snippets;
    }

    /** Whether it has test methods; otherwise it has statements. */
    boolean isTest() {
        return code.stream().anyMatch(text -> text.strip().equals("@Test"));
    }

    @Override
    public String toString() {
        return file + ":" + line;
    }
}
