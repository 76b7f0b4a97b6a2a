// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.Activation;
import io.flinkmoe.model.ExpertGraphs;
import io.flinkmoe.model.NormGraphs;
import io.flinkmoe.model.RouterGraphs;
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
 * the prefix of its tensors, such as {@code model.layers.3}. Methods that return bytes return an
 * ONNX file. All methods throw {@link CheckpointException} if a tensor is missing, if its shape is
 * not the one that config.json implies, or if config.json asks for something unsupported.
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

    private final String numExpertsKey;

    /**
     * @param activation the activation of the experts
     * @param hiddenSizeKey the key of d in config.json
     * @param numExpertsKey the key of N in config.json
     */
    CheckpointLayout(
            Checkpoint checkpoint,
            Activation activation,
            String hiddenSizeKey,
            String numExpertsKey)
            throws CheckpointException {
        this.checkpoint = checkpoint;
        this.config = checkpoint.config();
        this.activation = activation;
        this.hiddenSize = config.positiveInt(hiddenSizeKey);
        this.numExperts = config.positiveInt(numExpertsKey);
        this.numExpertsKey = numExpertsKey;
    }

    /** The MoE layers in order; those of an encoder precede those of a decoder. */
    abstract List<String> layers() throws CheckpointException;

    abstract RoutingConfig routing(String layer) throws IOException;

    /** The norm before router and experts; empty if the checkpoint does not have it. */
    abstract Optional<byte[]> norm(String layer) throws IOException;

    abstract byte[] router(String layer) throws IOException;

    abstract byte[] expert(String layer, int expert) throws IOException;

    /** The experts that every token visits. */
    List<byte[]> sharedExperts(String layer) throws IOException {
        return List.of();
    }

    /** The MoE layers of a model that has only a decoder. */
    final List<String> decoderLayers(IntPredicate isMoe) throws CheckpointException {
        return layers("model.layers.%d", config.positiveInt("num_hidden_layers"), isMoe);
    }

    /**
     * The prefixes of the MoE layers.
     *
     * @param count the number of all layers
     */
    final List<String> layers(String prefix, int count, IntPredicate isMoe)
            throws CheckpointException {
        if (count > MAX_LAYERS) {
            throw config.invalid(
                    "the model has %d layers '%s'; expected at most %d"
                            .formatted(count, prefix, MAX_LAYERS));
        }
        return IntStream.range(0, count).filter(isMoe).mapToObj(prefix::formatted).toList();
    }

    /** k, the value of a key, at most N. */
    final int numExpertsPerTok(String key) throws CheckpointException {
        int k = config.positiveInt(key);
        if (k > numExperts) {
            throw config.invalid(key, "1 to %s, which is %d".formatted(numExpertsKey, numExperts));
        }
        return k;
    }

    /**
     * A root mean square norm.
     *
     * @param weight the tensor [d]
     * @param epsKey the key of the epsilon in config.json
     */
    final Optional<byte[]> rmsNorm(String weight, String epsKey, float defaultEps)
            throws IOException {
        if (!checkpoint.contains(weight)) {
            return Optional.empty();
        }
        float eps = config.positiveFloat(epsKey, defaultEps);
        return Optional.of(
                ExpertGraphs.rmsNorm(checkpoint.floats(weight, hiddenSize), hiddenSize, eps));
    }

    /**
     * A LayerNorm whose tensors, each [d], are {@code name.weight} and perhaps {@code name.bias}.
     */
    final Optional<byte[]> layerNorm(String name, boolean hasBias) throws IOException {
        if (!checkpoint.contains(name + ".weight")) {
            return Optional.empty();
        }
        float[] weight = checkpoint.floats(name + ".weight", hiddenSize);
        float[] bias = hasBias ? checkpoint.floats(name + ".bias", hiddenSize) : null;
        return Optional.of(NormGraphs.layerNorm(weight, bias, hiddenSize, LAYER_NORM_EPS));
    }

    /** A linear router without bias, whose weight is a tensor [N, d]. */
    final byte[] linearRouter(String weight) throws IOException {
        return RouterGraphs.linear(
                checkpoint.floats(weight, numExperts, hiddenSize), numExperts, hiddenSize);
    }

    /** A gated expert whose tensors have the projections' names: gate_proj, up_proj, down_proj. */
    final byte[] gatedExpert(String name, int h) throws IOException {
        return ExpertGraphs.gated(
                activation,
                checkpoint.floats(name + ".gate_proj.weight", h, hiddenSize),
                checkpoint.floats(name + ".up_proj.weight", h, hiddenSize),
                checkpoint.floats(name + ".down_proj.weight", hiddenSize, h),
                hiddenSize,
                h);
    }
}
