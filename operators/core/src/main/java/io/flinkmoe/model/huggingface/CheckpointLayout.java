// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.model.graph.NormGraphs;
import io.flinkmoe.model.graph.RouterGraphs;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.apache.flink.annotation.Internal;

/**
 * Where a model family keeps its MoE layers in a checkpoint, and what its config.json says about
 * them. Attention and dense layers are not read. A capacity is not imported: it is an option of the
 * job.
 *
 * <p>This class reads what all families have; a subclass states what differs. A layer is named by
 * the prefix of its tensors, such as {@code model.layers.3}. Methods that return content return an
 * ONNX file, whose matrices are read when it is written. All methods throw {@link
 * CheckpointException} if a tensor is missing, if its shape is not the one that config.json
 * implies, or if config.json asks for something unsupported.
 */
@Internal
abstract class CheckpointLayout {
    private static final int MAX_LAYERS = 10_000;

    /** PyTorch's default for a LayerNorm, which config.json has no key for. */
    private static final float LAYER_NORM_EPS = 1e-5f;

    final Checkpoint checkpoint;
    final CheckpointConfig config;
    final Activation activation;

    /** d, the width of the vectors between the layers. */
    final int hiddenSize;

    /** N. */
    final int numExperts;

    private final List<String> numExpertsKeys;

    /**
     * @param activation the activation of the experts
     * @param hiddenSizeKey the key of d in config.json
     * @param numExpertsKeys the keys that N can have in config.json, the published one first
     */
    CheckpointLayout(
            Checkpoint checkpoint,
            Activation activation,
            String hiddenSizeKey,
            String... numExpertsKeys)
            throws CheckpointException {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
        this.activation = activation;
        this.hiddenSize = config.positiveInt(hiddenSizeKey);
        this.numExpertsKeys = List.of(numExpertsKeys);
        this.numExperts = config.positiveIntOf(this.numExpertsKeys);
    }

    /** The MoE layers in order; those of an encoder precede those of a decoder. */
    abstract List<String> layers() throws CheckpointException;

    abstract RoutingConfig routing(String layer) throws IOException;

    /** The norm before router and experts; empty if the checkpoint does not have it. */
    abstract Optional<FileContent> norm(String layer) throws IOException;

    abstract FileContent router(String layer) throws IOException;

    abstract FileContent expert(String layer, int expert) throws IOException;

    /** The experts that every token visits. */
    List<FileContent> sharedExperts(String layer) throws IOException {
        return List.of();
    }

    /**
     * The MoE layers of a model that has only a decoder.
     *
     * @param routers the endings that the name of a router can have after that of its layer
     */
    final List<String> decoderLayers(IntPredicate isMoe, String... routers)
            throws CheckpointException {
        LayerStack stack = new LayerStack("model.", "layers.%d", List.of(routers));
        return layers(stack, config.positiveInt("num_hidden_layers"), isMoe);
    }

    /**
     * The prefixes of the MoE layers.
     *
     * @param count the number of all layers
     */
    final List<String> layers(LayerStack stack, int count, IntPredicate isMoe)
            throws CheckpointException {
        String root = checkpoint.root(stack);
        if (count > MAX_LAYERS) {
            throw config.invalid(
                    "the model has %d layers '%s'; expected at most %d"
                            .formatted(count, stack.layer(), MAX_LAYERS));
        }
        return IntStream.range(0, count)
                .filter(isMoe)
                .mapToObj(layer -> root + stack.layer().formatted(layer))
                .toList();
    }

    /** k, the value of a key, at most N. */
    final int numExpertsPerTok(String key) throws CheckpointException {
        int k = config.positiveInt(key);
        if (k > numExperts) {
            String n = numExpertsKeys.stream().filter(config::has).findFirst().orElseThrow();
            throw config.invalid(key, "1 to %s, which is %d".formatted(n, numExperts));
        }
        return k;
    }

    /**
     * A root mean square norm.
     *
     * @param weight the tensor [d]
     * @param epsKey the key of the epsilon in config.json
     */
    final Optional<FileContent> rmsNorm(String weight, String epsKey, float defaultEps)
            throws IOException {
        if (!checkpoint.contains(weight)) {
            return Optional.empty();
        }
        float eps = config.positiveFloat(epsKey, defaultEps);
        return Optional.of(
                FileContent.of(
                        ExpertGraphs.rmsNorm(
                                checkpoint.floats(weight, hiddenSize), hiddenSize, eps)));
    }

    /**
     * A LayerNorm whose tensors, each [d], are {@code name.weight} and perhaps {@code name.bias}.
     */
    final Optional<FileContent> layerNorm(String name, boolean hasBias) throws IOException {
        if (!checkpoint.contains(name + ".weight")) {
            return Optional.empty();
        }
        float[] weight = checkpoint.floats(name + ".weight", hiddenSize);
        float[] bias = hasBias ? checkpoint.floats(name + ".bias", hiddenSize) : null;
        return Optional.of(
                FileContent.of(NormGraphs.layerNorm(weight, bias, hiddenSize, LAYER_NORM_EPS)));
    }

    /** A linear router without bias, whose weight is a tensor [N, d]. */
    final FileContent linearRouter(String weight) throws IOException {
        return FileContent.of(
                RouterGraphs.linear(
                        checkpoint.floats(weight, numExperts, hiddenSize), numExperts, hiddenSize));
    }
}
