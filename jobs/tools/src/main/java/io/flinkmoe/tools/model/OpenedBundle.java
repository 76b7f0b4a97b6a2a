// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.onnx.ModelCheck;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
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
        ModelCheck.Result result = ModelCheck.openAll(bundle, true);
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

    /**
     * Does the same for a bundle that was just imported. If a model cannot be opened, the bundle is
     * removed, because no job could use it.
     */
    static void printImported(Bundle bundle, PrintWriter out) throws IOException {
        try {
            print(bundle, out);
        } catch (IOException e) {
            try {
                remove(bundle.directory());
            } catch (IOException left) {
                e.addSuppressed(left);
            }
            throw e;
        }
    }

    /** Removes the content of a folder, and the folder unless it is a mount point. */
    private static void remove(Path folder) throws IOException {
        try (Stream<Path> tree = Files.walk(folder)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                if (!path.equals(folder)) {
                    Files.delete(path);
                }
            }
        }
        Files.delete(folder);
    }
}
