// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * The files of one MoE layer in a bundle. They are made one after the other each time they are
 * asked for: first to check that the checkpoint has all tensors and to add up the sizes, then to
 * write them.
 *
 * @param layout the layout of the checkpoint
 * @param layer the name of the layer in the checkpoint
 * @param index the number of the layer in the bundle
 */
@Internal
record LayerFiles(CheckpointLayout layout, String layer, int index) {

    /** Takes the files in order. */
    @FunctionalInterface
    private interface Visitor {
        void visit(String file, FileContent content) throws IOException;
    }

    /**
     * The size of all files.
     *
     * @throws CheckpointException if a tensor is missing or has another shape, or if a file would
     *     be too large
     */
    long size() throws IOException {
        long[] sum = new long[1];
        visit((file, content) -> sum[0] += sizeOf(file, content));
        return sum[0];
    }

    private long sizeOf(String file, FileContent content) throws CheckpointException {
        try {
            return content.size();
        } catch (IllegalArgumentException e) {
            throw layout.config.invalid("%s of %s: %s".formatted(file, layer, e.getMessage()));
        }
    }

    /** Writes all files. */
    LayerSpec write(BundleWriter writer) throws IOException {
        return visit(writer::add);
    }

    private LayerSpec visit(Visitor visitor) throws IOException {
        RoutingConfig routing = routing();
        String folder = "layers/%d/".formatted(index);
        Optional<FileContent> norm = layout.norm(layer);
        String normFile = norm.isPresent() ? folder + "norm.onnx" : null;
        if (norm.isPresent()) {
            visitor.visit(normFile, norm.get());
        }
        String router = folder + "router.onnx";
        visitor.visit(router, layout.router(layer));
        List<String> experts = new ArrayList<>();
        for (int e = 0; e < routing.numExperts(); e++) {
            experts.add("%sexperts/%d.onnx".formatted(folder, e));
            visitor.visit(experts.get(e), layout.expert(layer, e));
        }
        List<String> sharedExperts = new ArrayList<>();
        for (FileContent shared : layout.sharedExperts(layer)) {
            sharedExperts.add("%sshared/%d.onnx".formatted(folder, sharedExperts.size()));
            visitor.visit(sharedExperts.get(sharedExperts.size() - 1), shared);
        }
        LayerSpec spec = LayerSpec.oneGate(layout.hiddenSize, router, routing, experts);
        return spec.withNorm(normFile).withSharedExperts(sharedExperts);
    }

    private RoutingConfig routing() throws IOException {
        try {
            return layout.routing(layer);
        } catch (IllegalArgumentException e) {
            throw layout.config.invalid(
                    "the routing of layer %s is invalid: %s".formatted(layer, e.getMessage()));
        }
    }
}
