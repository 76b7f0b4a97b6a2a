package io.flinkmoe.jobs;

import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Prints the README's table of options, to be put between its markers. */
@Command(name = "options", hidden = true, description = "Print the README's table of options.")
final class OptionsCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        out.print(OptionTable.markdown());
        out.flush();
        return 0;
    }
}
