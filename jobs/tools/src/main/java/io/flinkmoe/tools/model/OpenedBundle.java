// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.onnx.ModelCheck;
import java.io.IOException;
import java.io.PrintWriter;
import org.apache.flink.annotation.Internal;

/** A bundle whose models ONNX Runtime opens, as text. */
@Internal
final class OpenedBundle {

    private OpenedBundle() {}

    /**
     * Opens the models of a bundle, and prints its content.
     *
     * @throws IOException if ONNX Runtime cannot open a model; nothing is printed
     */
    static void print(Bundle bundle, PrintWriter out) throws IOException {
        print(bundle, ModelCheck.openAll(bundle, true), out);
    }

    /** Prints the content of a bundle whose models were opened. */
    static void print(Bundle bundle, ModelCheck.Result result, PrintWriter out) throws IOException {
        out.print(new BundleReport(bundle));
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
        out.flush();
    }
}
