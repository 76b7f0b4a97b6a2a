// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.onnx.check.ModelCheck;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Checks a bundle, and shows its contents. */
@Command(
        name = "inspect",
        description = {
            "Check a model bundle, and show its contents.",
            "",
            "The command verifies the checksums and opens the models with ONNX Runtime: every"
                    + " distinct file, but only one file of each graph that moe import generated."
                    + " It records them in the bundle's opened.json, so that jobs start without"
                    + " opening them again. It also runs them, and shows whether a row's result has"
                    + " the same bits in every batch ('exact') or not ('rounding')."
        },
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
        Bundle checked = Bundle.read(bundle);
        ModelCheck.Result result = ModelCheck.openAll(checked, true);
        OpenedBundle.warn(result, Map.of(), spec.commandLine().getErr());
        OpenedBundle.print(checked, result, spec.commandLine().getOut());
        return 0;
    }
}
