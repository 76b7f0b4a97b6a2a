// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools;

import java.io.PrintWriter;
import java.io.StringWriter;
import picocli.CommandLine;

/** One run of the program, and what it printed. */
public record Program(int exitCode, String out, String err) {

    public static Program run(Object... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        CommandLine program = Moe.commandLine();
        program.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
        String[] texts = new String[arguments.length];
        for (int i = 0; i < texts.length; i++) {
            texts[i] = arguments[i].toString();
        }
        int exitCode = program.execute(texts);
        return new Program(exitCode, out.toString(), err.toString());
    }
}
