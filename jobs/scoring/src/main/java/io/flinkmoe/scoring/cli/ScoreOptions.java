// SPDX-License-Identifier: Apache-2.0
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
 * The options of a command that runs the scoring job, as a picocli mixin. {@link
 * JobOptions#addTo(CommandSpec)} adds the job's own options to the same command.
 */
@Internal
public final class ScoreOptions {

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "A YAML file with moe.* options and any Flink options.")
    private Path file;

    @Option(
            names = "-D",
            paramLabel = "KEY=VALUE",
            description = "Any Flink option, or a moe.* option by its full key.")
    private Map<String, String> defined = new LinkedHashMap<>();

    @Option(
            names = "--dry-run",
            description =
                    "Check options, bundle and Kafka, but do not start the job. Print its graph,"
                            + " all options, the subtask of each expert, and estimates of memory and"
                            + " state.")
    private boolean dryRun;

    /** Whether to print the job instead of starting it. */
    public boolean isDryRun() {
        return dryRun;
    }

    /**
     * Reads the options of command line and file. A named option overrides {@code -D}, and {@code
     * -D} overrides the file.
     *
     * @throws IllegalConfigurationException if a value is invalid; the message names the key, its
     *     value and the allowed values
     * @throws IOException if the file cannot be read
     */
    public Configuration read() throws IOException {
        Map<String, String> fromFile = file == null ? Map.of() : ConfigFile.read(file);
        Map<String, String> given = JobOptions.given(command.commandLine().getParseResult());
        return JobOptions.join(List.of(fromFile, defined, given));
    }
}
