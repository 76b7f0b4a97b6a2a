package io.flinkmoe.scoring.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/**
 * The options of a command that runs the scoring job, as a mixin of picocli. {@link
 * JobOptions#addTo(CommandSpec)} adds the options of the job to the same command.
 */
@Internal
public final class ScoreOptions {

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "A YAML file of moe.* options and of any Flink options.")
    private Path file;

    @Option(
            names = "-D",
            paramLabel = "KEY=VALUE",
            description = "Any option of Flink, or a moe.* option by its full key.")
    private Map<String, String> defined = new LinkedHashMap<>();

    @Option(
            names = "--dry-run",
            description =
                    "Check options, bundle and Kafka, and print the job: its graph, the options in"
                            + " force, where each expert is, what it takes. Starts nothing.")
    private boolean dryRun;

    /** Whether to print the job instead of starting it. */
    public boolean isDryRun() {
        return dryRun;
    }

    /**
     * What the command line and the file ask for: an option of its own wins over {@code -D}, and
     * {@code -D} over the file.
     *
     * @throws IllegalConfigurationException naming the key, its value and what is allowed
     * @throws IOException if the file cannot be read
     */
    public Configuration read() throws IOException {
        Map<String, String> fromFile = file == null ? Map.of() : ConfigFile.read(file);
        Map<String, String> given = JobOptions.given(command.commandLine().getParseResult());
        return JobOptions.join(List.of(fromFile, defined, given));
    }
}
