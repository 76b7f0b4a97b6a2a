// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.text;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.annotation.Internal;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/**
 * Checks of arguments that several commands take.
 *
 * @param command the command, whose usage an error names
 */
@Internal
public record Arguments(CommandSpec command) {

    /** Checks that a file can be written. */
    public void checkOutput(Path output) {
        Path parent = output.toAbsolutePath().getParent();
        if (Files.isDirectory(output) || !Files.isWritable(parent)) {
            throw refused("--output is '%s'; allowed: a file in a writable directory", output);
        }
    }

    /** Checks that only allowed names are given. */
    public void checkNames(String option, List<String> given, List<String> allowed) {
        for (String name : given) {
            if (!allowed.contains(name)) {
                throw refused("%s has '%s'; allowed: %s", option, name, String.join(", ", allowed));
            }
        }
    }

    /** Returns the error of a wrong argument. */
    public ParameterException refused(String message, Object... values) {
        return new ParameterException(command.commandLine(), message.formatted(values));
    }
}
