// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.annotation.Internal;

/** The supported model families, by the {@code model_type} in config.json. */
@Internal
final class ModelTypes {

    /** Reads config.json as one family writes it. */
    @FunctionalInterface
    private interface LayoutReader {
        CheckpointLayout read(Checkpoint checkpoint) throws CheckpointException;
    }

    private static final Map<String, LayoutReader> LAYOUTS =
            new TreeMap<>(
                    Map.ofEntries(
                            Map.entry("mixtral", MixtralLayout::new),
                            Map.entry("qwen2_moe", Qwen2MoeLayout::new),
                            Map.entry("qwen3_moe", QwenMoeLayout::qwen3),
                            Map.entry("olmoe", QwenMoeLayout::olmoe),
                            Map.entry("dbrx", DbrxLayout::new),
                            Map.entry("deepseek", DeepseekLayout::new),
                            Map.entry("deepseek_v2", DeepseekV2Layout::new),
                            Map.entry("deepseek_v3", DeepseekV3Layout::new),
                            Map.entry("jetmoe", JetMoeLayout::new),
                            Map.entry("switch_transformers", SwitchLayout::new),
                            Map.entry("nllb-moe", NllbLayout::new)));

    private ModelTypes() {}

    /**
     * The layout of a checkpoint.
     *
     * @throws CheckpointException if the family is not supported, or config.json lacks what it
     *     needs
     */
    static CheckpointLayout layoutOf(Checkpoint checkpoint) throws CheckpointException {
        LayoutReader reader = LAYOUTS.get(checkpoint.config().modelType());
        if (reader == null) {
            throw checkpoint
                    .config()
                    .invalid("model_type", "one of " + String.join(", ", LAYOUTS.keySet()));
        }
        return reader.read(checkpoint);
    }
}
