package io.flinkmoe.jobs;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Measures parts of flink-moe on this machine. */
@Command(
        name = "bench",
        description = "Measure flink-moe on this machine.",
        subcommands = BenchRoutingCommand.class,
        footer = "  moe bench routing           how fast experts are chosen, on one core")
final class BenchCommand implements Runnable {

    @Spec private CommandSpec spec;

    @Override
    public void run() {
        throw new CommandLine.ParameterException(
                spec.commandLine(), "Say what to measure: " + spec.subcommands().keySet());
    }
}
