package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.Activation;
import io.flinkmoe.model.ExpertGraphs;
import io.flinkmoe.model.RouterGraphs;
import java.io.IOException;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/** What several layouts read alike. */
final class LayoutParts {

    private static final int MAX_LAYERS = 10_000;

    private LayoutParts() {}

    /** The prefixes of the layers that are sparse, of {@code count}, which is at most 10,000. */
    static List<String> layers(
            Checkpoint checkpoint, String format, int count, IntPredicate isSparse)
            throws CheckpointException {
        if (count > MAX_LAYERS) {
            throw checkpoint
                    .config()
                    .badConfig(
                            "it describes a model of %d layers; allowed: up to %d"
                                    .formatted(count, MAX_LAYERS));
        }
        return IntStream.range(0, count).filter(isSparse).mapToObj(format::formatted).toList();
    }

    /** The value of a key of config.json, 1 or more; 1 if the key is not there. */
    static int step(Checkpoint checkpoint, String key) throws CheckpointException {
        return checkpoint.config().has(key) ? checkpoint.config().positiveInt(key) : 1;
    }

    /** The activation that a key of config.json names. */
    static Activation activation(Checkpoint checkpoint, String key, String defaultName)
            throws CheckpointException {
        try {
            return Activation.ofHuggingFace(checkpoint.config().text(key, defaultName));
        } catch (IllegalArgumentException e) {
            throw checkpoint.config().badConfig(key + ": " + e.getMessage());
        }
    }

    /** k, the value of a key of config.json, at most N, that of another. */
    static int topK(Checkpoint checkpoint, String key, String numExpertsKey)
            throws CheckpointException {
        int topK = checkpoint.config().positiveInt(key);
        int numExperts = checkpoint.config().positiveInt(numExpertsKey);
        if (topK > numExperts) {
            throw checkpoint
                    .config()
                    .badConfig(key, "1 to %s, which is %d".formatted(numExpertsKey, numExperts));
        }
        return topK;
    }

    /** A root mean square norm of weight [d], or null if the checkpoint does not have it. */
    static byte[] rmsNorm(Checkpoint checkpoint, String weight, int d, float eps)
            throws IOException {
        return checkpoint.contains(weight)
                ? ExpertGraphs.rmsNorm(checkpoint.floats(weight, d), d, eps)
                : null;
    }

    /** A linear router of weight [N, d]. */
    static byte[] router(Checkpoint checkpoint, String weight, int n, int d) throws IOException {
        return RouterGraphs.linear(checkpoint.floats(weight, n, d), n, d);
    }

    /** A gated expert of gate_proj [h, d], up_proj [h, d] and down_proj [d, h]. */
    static byte[] gated(Checkpoint checkpoint, Activation activation, String prefix, int d, int h)
            throws IOException {
        return ExpertGraphs.gated(
                activation,
                checkpoint.floats(prefix + ".gate_proj.weight", h, d),
                checkpoint.floats(prefix + ".up_proj.weight", h, d),
                checkpoint.floats(prefix + ".down_proj.weight", d, h),
                d,
                h);
    }

    /** Refuses a router with a bias, which no published checkpoint has. */
    static void requireNoRouterBias(Checkpoint checkpoint) throws CheckpointException {
        if (checkpoint.config().flag("router_bias", false)) {
            throw checkpoint
                    .config()
                    .badConfig("router_bias", "false; a router's bias is not supported");
        }
    }
}
