// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import io.flinkmoe.model.Bundle;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Checks a bundle, and shows its contents. */
@Command(
        name = "inspect",
        description = "Check a model bundle, and show its contents.",
        footer = "  moe inspect model")
@Internal
public final class InspectCommand implements Callable<Integer> {

    @Spec private CommandSpec spec;

    @Parameters(
            paramLabel = "BUNDLE",
            description = "The bundle's folder, which contains model.json.")
    private Path bundle;

    @Override
    public Integer call() throws Exception {
        spec.commandLine().getOut().print(new BundleReport(Bundle.read(bundle)));
        spec.commandLine().getOut().flush();
        return 0;
    }
}
