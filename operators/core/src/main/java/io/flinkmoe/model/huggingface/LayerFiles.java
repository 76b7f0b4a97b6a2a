// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerOptions;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.model.graph.WeightType;
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
 * @param layer the layer in the checkpoint
 * @param index the number of the layer in the bundle
 * @param type how matrices are stored
 */
@Internal
record LayerFiles(
        Checkpoint checkpoint,
        Family family,
        LayerStacks.MoeLayer layer,
        int index,
        WeightType type) {

    /** Takes the files in order. */
    @FunctionalInterface
    private interface Visitor {
        void visit(String file, FileContent content) throws IOException;
    }

    /**
     * The size of all files.
     *
     * @throws CheckpointException if a tensor is missing, has another shape or is not used, or if a
     *     file would be too large
     */
    long size() throws IOException {
        long[] sum = new long[1];
        LayerSpec spec = visit((file, content) -> sum[0] += sizeOf(file, content));
        long models = spec.experts().stream().filter(expert -> !expert.isIdentity()).count();
        new UnusedTensors(checkpoint, family).check(layer.name(), (int) models);
        return sum[0];
    }

    private long sizeOf(String file, FileContent content) throws CheckpointException {
        try {
            return content.size();
        } catch (IllegalArgumentException e) {
            throw checkpoint
                    .config()
                    .invalid("%s of %s: %s".formatted(file, layer.name(), e.getMessage()));
        }
    }

    /** d, the width of the vectors between the layers. */
    int hiddenSize() throws IOException {
        return new LayerParts(checkpoint, family, layer, type).hiddenSize;
    }

    /** Writes all files. */
    LayerSpec write(BundleWriter writer) throws IOException {
        return visit(writer::add);
    }

    private LayerSpec visit(Visitor visitor) throws IOException {
        LayerParts parts = new LayerParts(checkpoint, family, layer, type);
        RoutingConfig routing =
                new RoutingReader(checkpoint, family).of(layer, parts.numExperts, parts.countKey());
        String folder = "layers/%d/".formatted(index);
        ModelFile norm = visit(folder + "norm.onnx", parts.norm(), visitor);
        String router = folder + "router.onnx";
        visitor.visit(router, parts.router());
        ModelFile expertInput = visit(folder + "expert_input.onnx", parts.expertInput(), visitor);
        List<ExpertSpec> experts = new ArrayList<>();
        int width = parts.expertSize();
        for (int e = 0; e < parts.numExperts; e++) {
            if (e < parts.numExperts - parts.numIdentityExperts) {
                String file = "%sexperts/%d.onnx".formatted(folder, e);
                visitor.visit(file, parts.expert(e));
                experts.add(ExpertSpec.of(file, width));
            } else {
                experts.add(ExpertSpec.identity(width));
            }
        }
        ModelFile routedOutput =
                visit(folder + "routed_output.onnx", parts.routedOutput(), visitor);
        List<ModelFile> shared = visitAll(folder + "shared/", parts.sharedExperts(), visitor);
        List<ModelFile> branches = visitAll(folder + "branches/", parts.branches(), visitor);
        ModelFile postNorm = visit(folder + "post_norm.onnx", parts.postNorm(), visitor);
        LayerOptions options =
                new LayerOptions(
                        expertInput,
                        expertInput == null ? null : width,
                        routedOutput,
                        branches.isEmpty() ? null : branches,
                        parts.residualScale(),
                        parts.outputScale(),
                        parts.weighsInput() ? true : null);
        return new LayerSpec(
                parts.hiddenSize,
                parts.hiddenSize,
                norm,
                postNorm,
                parts.residual(),
                experts,
                shared,
                List.of(gate(parts, router, routing)),
                null,
                options);
    }

    private static GateSpec gate(LayerParts parts, String router, RoutingConfig routing) {
        GateSpec.RouterInput input =
                parts.routerReadsLayerInput() ? GateSpec.RouterInput.LAYER_INPUT : null;
        return new GateSpec(null, ModelFile.of(router), input, null, null, null, routing, null);
    }

    private static ModelFile visit(String file, Optional<FileContent> content, Visitor visitor)
            throws IOException {
        if (content.isEmpty()) {
            return null;
        }
        visitor.visit(file, content.get());
        return ModelFile.of(file);
    }

    private static List<ModelFile> visitAll(
            String folder, List<FileContent> contents, Visitor visitor) throws IOException {
        List<ModelFile> files = new ArrayList<>();
        for (FileContent content : contents) {
            files.add(ModelFile.of("%s%d.onnx".formatted(folder, files.size())));
            visitor.visit(files.get(files.size() - 1).file(), content);
        }
        return files;
    }
}
