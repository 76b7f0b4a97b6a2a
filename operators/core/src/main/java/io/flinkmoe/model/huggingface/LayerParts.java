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
import java.util.Arrays;
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
    private final LayerStacks.MoeLayer layer;
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
        this.layer = layer;
        this.type = type;
        this.routerName = existing(family.router());
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
    }

    private List<String> presentCountKeys() {
        return NUM_EXPERTS.stream().filter(config::has).toList();
    }

    /** The key of the number of experts in config.json. */
    String countKey() {
        List<String> keys = presentCountKeys();
        return keys.isEmpty() ? "num_experts" : keys.get(0);
    }

    private String full(String name) {
        return layer.name() + "." + name;
    }

    /** The name of a weight that is there, or the published one. */
    private String existing(Names names) {
        for (String name : names.all()) {
            if (weights.has(full(name))) {
                return full(name);
            }
        }
        return full(names.first());
    }

    /** The norm before router and experts; empty if there is none. */
    Optional<FileContent> norm() throws IOException {
        Optional<NormGraphs.Norm> norm = norm(family.norm());
        if (norm.isPresent() && family.firstNorm() != null) {
            NormGraphs.Rms first = scaled((NormGraphs.Rms) requiredNorm(family.firstNorm()));
            return Optional.of(new NormGraphs.Chain(first, norm.get()).graph("two_norms"));
        }
        if (norm.isEmpty() || family.normGate() == null) {
            return norm.map(n -> n.graph(nameOfForm()));
        }
        FeedForward.Linear down = linear(family.normGate().get(0), hiddenSize, -1);
        FeedForward.Linear up = linear(family.normGate().get(1), down.out(), hiddenSize);
        return Optional.of(new NormGraphs.Gated(norm.get(), down, up).graph("gated_norm"));
    }

    /** The same norm times the factor of the layer's type. */
    private NormGraphs.Rms scaled(NormGraphs.Rms norm) throws CheckpointException {
        String type = config.entry("layer_types", layer.number());
        Setting setting = family.firstNormScale().get(type);
        if (setting == null) {
            throw config.invalid(
                    "layer_types has '%s' for layer %d; expected one of %s"
                            .formatted(type, layer.number(), family.firstNormScale().keySet()));
        }
        float scale = (float) setting.number(config);
        float[] weight = norm.weight().clone();
        for (int i = 0; i < weight.length; i++) {
            weight[i] *= scale;
        }
        return new NormGraphs.Rms(weight, norm.eps());
    }

    /** A norm of the width d; empty if the family or the checkpoint does not have it. */
    private Optional<NormGraphs.Norm> norm(Names names) throws IOException {
        if (names == null || !checkpoint.contains(existing(names) + ".weight")) {
            return Optional.empty();
        }
        String name = existing(names);
        float[] weight = checkpoint.floats(name + ".weight", hiddenSize);
        float eps = family.eps().positive(config);
        switch (family.normForm()) {
            case RMS -> {}
            case RMS_PLUS_ONE -> {
                for (int i = 0; i < weight.length; i++) {
                    weight[i] += 1;
                }
            }
            case LAYER -> {
                boolean hasBias = checkpoint.contains(name + ".bias");
                float[] bias = hasBias ? checkpoint.floats(name + ".bias", hiddenSize) : null;
                return Optional.of(new NormGraphs.Layer(weight, bias, eps));
            }
        }
        return Optional.of(new NormGraphs.Rms(weight, eps));
    }

    private NormGraphs.Norm requiredNorm(Names names) throws IOException {
        Optional<NormGraphs.Norm> norm = norm(names);
        if (norm.isEmpty()) {
            throw checkpoint.missing(existing(names) + ".weight");
        }
        return norm.get();
    }

    private String nameOfForm() {
        return family.normForm() == Family.NormForm.LAYER ? "layer_norm" : "rms_norm";
    }

    Optional<FileContent> postNorm() throws IOException {
        return family.postNorm() == null
                ? Optional.empty()
                : Optional.of(requiredNorm(family.postNorm()).graph(nameOfForm()));
    }

    FileContent router() throws IOException {
        float[] weight = checkpoint.floats(routerName + ".weight", numExperts, hiddenSize);
        float[] bias =
                family.routerBias().flag(config)
                        ? checkpoint.floats(routerName + ".bias", numExperts)
                        : null;
        NormGraphs.Norm norm = null;
        if (family.routerNorm() != null) {
            float[] scale = checkpoint.floats(existing(family.routerNorm()), hiddenSize);
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
        return isLatent() ? weights.get(existing(family.latent().down())).dim(0) : hiddenSize;
    }

    private boolean isLatent() {
        return family.latent() != null && weights.has(existing(family.latent().down()));
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
                : Optional.of(requiredNorm(family.routedNorm()).graph(nameOfForm()));
    }

    private FileContent projection(String graph, Names names, int in, int out) throws IOException {
        FeedForward.Linear linear = linear(names, in, out);
        return new OnnxGraph(graph)
                .storing(type)
                .input("hidden", in)
                .output("output", linear.out())
                .linear("output", "hidden", linear.weight(), linear.bias(), in, linear.out());
    }

    /**
     * @param out the width of the output, or -1 for that of the weight
     */
    private FeedForward.Linear linear(Names names, int in, int out) throws IOException {
        String name = existing(names);
        StoredWeight weight = weights.get(name);
        int rows = out < 0 ? weight.dim(0) : out;
        if (!Arrays.equals(weight.shape(), new long[] {rows, in})) {
            throw checkpoint.wrongShape(weight.name(), "[%d, %d]".formatted(rows, in));
        }
        boolean hasBias = checkpoint.contains(name + ".bias");
        float[] bias = hasBias ? checkpoint.floats(name + ".bias", rows) : null;
        return new FeedForward.Linear(weight.blocks(), bias, in, rows);
    }

    FileContent expert(int expert) throws IOException {
        List<String> names = family.experts().all().stream().map(this::full).toList();
        int n = numExperts - numIdentityExperts;
        return networks.expert(names, expert, n, expertSize()).graph(type);
    }

    /** The experts that every token visits, and constants that are added once. */
    List<FileContent> sharedExperts() throws IOException {
        List<FileContent> shared = new ArrayList<>();
        if (hasShared()) {
            FeedForward network = networks.single(shared(), hiddenSize);
            if (family.sharedGate() != null) {
                String gate = existing(family.sharedGate());
                float[] weight = checkpoint.floats(gate + ".weight", 1, hiddenSize);
                FeedForward.Linear share =
                        new FeedForward.Linear(FloatBlocks.of(weight), null, hiddenSize, 1);
                network = new FeedForward.WithGate(share, network);
            }
            shared.add(network.graph(type));
        }
        if (family.constant() != null && family.constantIf().flag(config)) {
            float[] constant = checkpoint.floats(full(family.constant().first()), hiddenSize);
            shared.add(FileContent.of(ExpertGraphs.constant(constant)));
        }
        return shared;
    }

    private String shared() {
        return family.shared().all().stream()
                .map(this::full)
                .filter(networks::exists)
                .findFirst()
                .orElse(full(family.shared().first()));
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
        List<FileContent> branches = new ArrayList<>();
        for (Family.Branch branch :
                family.branches() == null ? List.<Family.Branch>of() : family.branches()) {
            OnnxGraph graph = new OnnxGraph("branch").storing(type);
            graph.input("hidden", hiddenSize).output("output", hiddenSize);
            boolean hasTail = branch.tail() != null;
            addBranch(graph, branch, "", hasTail ? "first" : "output", "hidden");
            if (hasTail) {
                graph.node("Add", "middle", List.of("hidden", "first"));
                addBranch(graph, branch.tail(), "tail.", "second", "middle")
                        .node("Add", "output", List.of("first", "second"));
            }
            branches.add(graph);
        }
        return branches;
    }

    private OnnxGraph addBranch(
            OnnxGraph graph, Family.Branch branch, String prefix, String y, String x)
            throws IOException {
        String normed = prefix + "normed";
        requiredNorm(branch.norm()).addTo(graph, prefix + "norm.", normed, x);
        FeedForward network = networks.single(full(branch.network().first()), hiddenSize);
        if (branch.postNorm() == null) {
            return network.addTo(graph, prefix, y, normed);
        }
        network.addTo(graph, prefix, prefix + "mlp", normed);
        return requiredNorm(branch.postNorm())
                .addTo(graph, prefix + "post_norm.", y, prefix + "mlp");
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
            scale *= checkpoint.floats(full(family.layerScale().first()), 1)[0];
        }
        return scale == 1 ? null : (float) scale;
    }

    boolean weighsInput() throws CheckpointException {
        return family.weightOnInput().flag(config);
    }
}
