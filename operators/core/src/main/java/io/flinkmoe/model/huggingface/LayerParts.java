// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.FeedForward;
import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.model.graph.NormGraphs;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.model.graph.RouterGraphs;
import io.flinkmoe.model.graph.WeightType;
import io.flinkmoe.tensor.FloatBlocks;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * The parts of one MoE layer as graphs, whose matrices are read when they are written. All methods
 * throw {@link CheckpointException} if a tensor is missing or has another shape.
 */
@Internal
final class LayerParts {

    private static final List<String> NUM_EXPERTS =
            List.of(
                    "num_experts",
                    "num_local_experts",
                    "n_routed_experts",
                    "moe_num_experts",
                    "ffn_config.moe_num_experts");
    private static final List<String> HIDDEN_SIZE = List.of("hidden_size", "d_model");

    private final Checkpoint checkpoint;
    private final CheckpointConfig config;
    private final Family family;
    private final Weights weights;
    private final Networks networks;
    private final Weights.OfLayer names;
    private final NormReader norms;
    private final WeightType type;
    private final String routerName;

    /** d, the width of the vectors between the layers. */
    final int hiddenSize;

    /** The rows of the router: N, and the identity experts. */
    final int numExperts;

    /** The last of them are the identity. */
    final int numIdentityExperts;

    LayerParts(Checkpoint checkpoint, Family family, LayerStacks.MoeLayer layer, WeightType type)
            throws IOException {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
        this.family = family;
        this.weights = new Weights(checkpoint);
        this.networks = new Networks(checkpoint, weights, family);
        this.names = new Weights.OfLayer(weights, layer);
        this.type = type;
        this.routerName = names.existing(family.router());
        String router = routerName + ".weight";
        long[] shape = checkpoint.contains(router) ? checkpoint.shape(router) : new long[] {1, 1};
        this.numIdentityExperts =
                family.identityExperts() == null ? 0 : family.identityExperts().count(config);
        this.numExperts =
                config.has(countKey())
                        ? config.positiveIntOf(presentCountKeys(), layer.number())
                                + numIdentityExperts
                        : Math.toIntExact(shape[0]);
        String widthKey = HIDDEN_SIZE.stream().filter(config::has).findFirst().orElse(null);
        this.hiddenSize =
                widthKey == null
                        ? Math.toIntExact(shape[shape.length - 1])
                        : config.positiveInt(widthKey);
        this.norms = new NormReader(checkpoint, family, names, hiddenSize);
    }

    private List<String> presentCountKeys() {
        return NUM_EXPERTS.stream().filter(config::has).toList();
    }

    /** The key of the number of experts in config.json. */
    String countKey() {
        List<String> keys = presentCountKeys();
        return keys.isEmpty() ? "num_experts" : keys.get(0);
    }

    /** The norm before router and experts; empty if there is none. */
    Optional<FileContent> norm() throws IOException {
        return norms.first();
    }

    Optional<FileContent> postNorm() throws IOException {
        return family.postNorm() == null
                ? Optional.empty()
                : Optional.of(norms.required(family.postNorm()).graph(norms.graphName()));
    }

    FileContent router() throws IOException {
        float[] weight = checkpoint.floats(routerName + ".weight", numExperts, hiddenSize);
        float[] bias =
                family.routerBias().flag(config)
                        ? checkpoint.floats(routerName + ".bias", numExperts)
                        : null;
        NormGraphs.Norm norm = null;
        if (family.routerNorm() != null) {
            float[] scale = checkpoint.floats(names.existing(family.routerNorm()), hiddenSize);
            for (int i = 0; i < scale.length; i++) {
                scale[i] *= (float) (1 / Math.sqrt(hiddenSize));
            }
            norm = new NormGraphs.Rms(scale, family.eps().positive(config));
        }
        return FileContent.of(RouterGraphs.linear(norm, weight, bias, numExperts, hiddenSize));
    }

    boolean routerReadsLayerInput() {
        return family.routerNorm() != null;
    }

    /** The width that the experts work in: d, or that of the latent projections. */
    int expertSize() throws IOException {
        return isLatent() ? weights.get(names.existing(family.latent().down())).dim(0) : hiddenSize;
    }

    private boolean isLatent() {
        return family.latent() != null && weights.has(names.existing(family.latent().down()));
    }

    /** The projection to the width of the experts. */
    Optional<FileContent> expertInput() throws IOException {
        if (!isLatent()) {
            return Optional.empty();
        }
        return Optional.of(projection("expert_input", family.latent().down(), hiddenSize, -1));
    }

    /** What is applied to the routed sum: a projection back, or a norm. */
    Optional<FileContent> routedOutput() throws IOException {
        if (isLatent()) {
            Names up = family.latent().up();
            return Optional.of(projection("routed_output", up, expertSize(), hiddenSize));
        }
        return family.routedNorm() == null
                ? Optional.empty()
                : Optional.of(norms.required(family.routedNorm()).graph(norms.graphName()));
    }

    private FileContent projection(String graph, Names weight, int in, int out) throws IOException {
        FeedForward.Linear linear = norms.linear(weight, in, out);
        return new OnnxGraph(graph)
                .storing(type)
                .input("hidden", in)
                .output("output", linear.out())
                .linear("output", "hidden", linear.weight(), linear.bias(), in, linear.out());
    }

    FileContent expert(int expert) throws IOException {
        List<String> experts = family.experts().all().stream().map(names::full).toList();
        int n = numExperts - numIdentityExperts;
        return networks.expert(experts, expert, n, expertSize()).graph(type);
    }

    /** The experts that every token visits, and constants that are added once. */
    List<FileContent> sharedExperts() throws IOException {
        List<FileContent> shared = new ArrayList<>();
        if (hasShared()) {
            FeedForward network = networks.single(shared(), hiddenSize);
            if (family.sharedGate() != null) {
                String gate = names.existing(family.sharedGate());
                float[] weight = checkpoint.floats(gate + ".weight", 1, hiddenSize);
                FeedForward.Linear share =
                        new FeedForward.Linear(FloatBlocks.of(weight), null, hiddenSize, 1);
                network = new FeedForward.WithGate(share, network);
            }
            shared.add(network.graph(type));
        }
        if (family.constant() != null && family.constantIf().flag(config)) {
            float[] constant = checkpoint.floats(names.full(family.constant().first()), hiddenSize);
            shared.add(FileContent.of(ExpertGraphs.constant(constant)));
        }
        return shared;
    }

    private String shared() {
        return family.shared().all().stream()
                .map(names::full)
                .filter(networks::exists)
                .findFirst()
                .orElse(names.full(family.shared().first()));
    }

    /** Whether there is a shared expert: config.json says so, or else the tensors do. */
    private boolean hasShared() throws CheckpointException {
        if (family.shared() == null) {
            return false;
        }
        Setting count = family.sharedCount();
        if (count == null) {
            return true;
        }
        return count.isNull(config)
                ? false
                : count.isSet(config)
                        ? config.count(count.key(config), 0) > 0
                        : networks.exists(shared());
    }

    /** The dense networks beside the experts. */
    List<FileContent> branches() throws IOException {
        List<Family.Branch> declared = family.branches() == null ? List.of() : family.branches();
        List<FileContent> branches = new ArrayList<>();
        for (Family.Branch branch : declared) {
            branches.add(new BranchReader(networks, norms, names, hiddenSize).read(branch, type));
        }
        return branches;
    }

    ResidualKind residual() {
        return family.residual();
    }

    /** What multiplies the residual; null for 1. */
    Float residualScale() throws IOException {
        return scale(family.residualScale());
    }

    /** What multiplies what is added to the residual; null for 1. */
    Float outputScale() throws IOException {
        return scale(family.outputScale());
    }

    private Float scale(Setting setting) throws IOException {
        double scale = setting == null ? 1 : setting.number(config);
        if (family.layerScale() != null) {
            scale *= checkpoint.floats(names.full(family.layerScale().first()), 1)[0];
        }
        return scale == 1 ? null : (float) scale;
    }

    boolean weighsInput() throws CheckpointException {
        return family.weightOnInput().flag(config);
    }

    /** The dense networks beside the experts of a layer, as graphs from the layer's input. */
    private record BranchReader(
            Networks networks, NormReader norms, Weights.OfLayer names, int hiddenSize) {

        FileContent read(Family.Branch branch, WeightType type) throws IOException {
            OnnxGraph graph = new OnnxGraph("branch").storing(type);
            graph.input("hidden", hiddenSize).output("output", hiddenSize);
            boolean hasTail = branch.tail() != null;
            add(graph, branch, "", hasTail ? "first" : "output", "hidden");
            if (hasTail) {
                graph.node("Add", "middle", List.of("hidden", "first"));
                add(graph, branch.tail(), "tail.", "second", "middle")
                        .node("Add", "output", List.of("first", "second"));
            }
            return graph;
        }

        private OnnxGraph add(
                OnnxGraph graph, Family.Branch branch, String prefix, String y, String x)
                throws IOException {
            String normed = prefix + "normed";
            norms.required(branch.norm()).addTo(graph, prefix + "norm.", normed, x);
            FeedForward network = networks.single(names.full(branch.network().first()), hiddenSize);
            if (branch.postNorm() == null) {
                return network.addTo(graph, prefix, y, normed);
            }
            network.addTo(graph, prefix, prefix + "mlp", normed);
            return norms.required(branch.postNorm())
                    .addTo(graph, prefix + "post_norm.", y, prefix + "mlp");
        }
    }
}
