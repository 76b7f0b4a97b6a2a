// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.options;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Prints the page of options, which is stored as deploy/OPTIONS.md. */
@Command(name = "options", hidden = true, description = "Print deploy/OPTIONS.md.")
@Internal
public final class OptionsCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        out.print(OptionPage.markdown());
        out.flush();
        return 0;
    }
}
