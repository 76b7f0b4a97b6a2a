// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.onnx.check.ModelCheck;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/** A bundle whose models ONNX Runtime opens, as text. */
@Internal
final class OpenedBundle {

    private OpenedBundle() {}

    /** Prints the content of a bundle whose models were opened. */
    static void print(Bundle bundle, ModelCheck.Result result, PrintWriter out) throws IOException {
        out.print(new BundleReport(bundle, result.bits()));
        out.printf(
                "ONNX Runtime %s opened %,d models%s.%n",
                result.runtimeVersion(),
                result.opened(),
                result.recorded() ? "; opened.json records them" : "");
        result.gpuOnly()
                .forEach(
                        (file, reason) ->
                                out.printf(
                                        "%s runs only on a GPU (moe.expert.device: cuda): %s%n",
                                        file, reason.strip()));
        if (!result.inexact().isEmpty()) {
            out.printf(
                    "A row's result may depend on the other rows of a call, in its last bits, for %s.%n"
                            + "The guarantee of the same bits does not hold for this model;"
                            + " moe.model.row-by-row: true makes it hold.%n",
                    String.join(", ", result.inexact()));
        }
        out.flush();
    }

    /**
     * Warns of routers whose outputs are probabilities, which a softmax would change again.
     *
     * @param sources by file of the bundle, the user's file
     */
    static void warn(ModelCheck.Result result, Map<String, Path> sources, PrintWriter err) {
        for (String router : result.probabilities()) {
            err.printf(
                    "moe: warning: %s: its outputs are probabilities already (every probe row sums to 1),"
                            + " and scoring_func softmax makes a softmax of them again. Export the logits"
                            + " (skl2onnx: options={id(model): {'raw_scores': True}}), or set"
                            + " scoring_func: identity if they are to be the weights%n",
                    sources.containsKey(router) ? sources.get(router) : router);
        }
        err.flush();
    }
}
