package io.flinkmoe.model.huggingface;

import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Where a family of checkpoints keeps its MoE layers, and what config.json says of them. Only the
 * MoE layers are read: no attention, no dense layer. Capacity, where a family has it, is not part
 * of a bundle.
 *
 * <p>A layer is named by the prefix of its tensors, such as {@code model.layers.3}. The methods
 * that give a model give the bytes of an ONNX file.
 *
 * <p>All throw {@link CheckpointException} if a tensor is missing, has another shape than
 * config.json says, or config.json asks for what is not supported.
 */
interface CheckpointLayout {

    /** d, the width of the vectors that go from layer to layer. */
    int hiddenSize();

    /** The MoE layers, first to last; those of an encoder before those of a decoder. */
    List<String> layers();

    RoutingConfig routing(String layer) throws IOException;

    /** The norm before router and experts, or null if the checkpoint does not have it. */
    byte[] norm(String layer) throws IOException;

    byte[] router(String layer) throws IOException;

    byte[] expert(String layer, int expert) throws IOException;

    /** The models that every token visits. */
    default List<byte[]> sharedExperts(String layer) throws IOException {
        return List.of();
    }

    /** Reads config.json for one family. */
    @FunctionalInterface
    interface Reader {
        CheckpointLayout read(Checkpoint checkpoint) throws CheckpointException;
    }

    /** The families by {@code model_type}. */
    Map<String, Reader> BY_MODEL_TYPE =
            Map.ofEntries(
                    Map.entry("mixtral", MixtralLayout::new),
                    Map.entry("qwen2_moe", QwenMoeLayout::qwen2),
                    Map.entry("qwen3_moe", QwenMoeLayout::qwen3),
                    Map.entry("olmoe", QwenMoeLayout::olmoe),
                    Map.entry("dbrx", DbrxLayout::new),
                    Map.entry("deepseek", DeepseekLayout::v1),
                    Map.entry("deepseek_v2", DeepseekLayout::v2),
                    Map.entry("deepseek_v3", DeepseekLayout::v3),
                    Map.entry("jetmoe", JetMoeLayout::new),
                    Map.entry("switch_transformers", SwitchLayout::new),
                    Map.entry("nllb-moe", NllbLayout::new));

    /** The layout of a checkpoint, by its {@code model_type}. */
    static CheckpointLayout of(Checkpoint checkpoint) throws CheckpointException {
        Reader reader = BY_MODEL_TYPE.get(checkpoint.config().text("model_type", ""));
        if (reader == null) {
            throw checkpoint
                    .config()
                    .badConfig(
                            "model_type",
                            "one of the known: "
                                    + String.join(", ", new TreeMap<>(BY_MODEL_TYPE).keySet()));
        }
        return reader.read(checkpoint);
    }
}
