// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.text;

import java.io.PrintWriter;
import org.apache.flink.annotation.Internal;

/**
 * A line that shows the progress. It is rewritten in place on a terminal, and otherwise printed at
 * most once per second.
 */
@Internal
public final class Progress {

    private static final long TERMINAL_NANOS = 100_000_000;
    private static final long LINE_NANOS = 1_000_000_000;

    private final PrintWriter out;
    private final boolean terminal;
    private long shownAt = System.nanoTime() - LINE_NANOS;
    private int width;

    /**
     * @param terminal whether the line can be rewritten
     */
    public Progress(PrintWriter out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    /** Shows a line, unless the previous line is too recent. */
    public void show(String line) {
        if (System.nanoTime() - shownAt >= (terminal ? TERMINAL_NANOS : LINE_NANOS)) {
            print(line);
        }
    }

    /** Shows the final line. */
    public void done(String line) {
        print(line);
        if (terminal) {
            out.println();
        }
        out.flush();
    }

    private void print(String line) {
        if (terminal) {
            out.print("\r" + line + " ".repeat(Math.max(0, width - line.length())));
            width = line.length();
        } else {
            out.println(line);
        }
        out.flush();
        shownAt = System.nanoTime();
    }
}
