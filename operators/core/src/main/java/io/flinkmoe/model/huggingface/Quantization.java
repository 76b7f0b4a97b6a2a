// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.flink.annotation.Internal;

/**
 * Tells whether a tensor is stored in a packed form: its type is not a float of 16 bits or more, or
 * other tensors with scales belong to it. The tensors decide, because config.json often keeps a
 * quantization_config when a checkpoint has been converted back.
 */
@Internal
final class Quantization {
    private static final Set<String> PLAIN_TYPES = Set.of("F64", "F32", "F16", "BF16");

    /** What the names of packed tensors add to the name of a weight. */
    private static final Pattern PARTS =
            Pattern.compile(
                    "[._](weight_|qweight|qzeros|scales?\\b|scale_|g_idx|SCB|blocks\\b|packed\\b"
                            + "|global_scale|absmax|quant_|input_scale|zero_point).*"
                            + "|\\.weight\\.(absmax|quant_|nested_).*");

    private final TensorNames names;
    private final CheckpointConfig config;

    Quantization(TensorNames names, CheckpointConfig config) {
        this.names = names;
        this.config = config;
    }

    /**
     * Why a tensor is not plain; empty if it is.
     *
     * @param type the type of the tensor as its file names it, or null if there is no such tensor
     */
    Optional<String> of(String tensor, String type) {
        if (type != null && !PLAIN_TYPES.contains(type)) {
            return Optional.of("tensor %s is %s; %s".formatted(tensor, type, advice()));
        }
        String stem =
                tensor.endsWith(".weight")
                        ? tensor.substring(0, tensor.length() - ".weight".length())
                        : tensor;
        return names.startingWith(stem).stream()
                .filter(name -> PARTS.matcher(name.substring(stem.length())).matches())
                .findFirst()
                .map(
                        part ->
                                "tensor %s is packed: there is %s%s; %s"
                                        .formatted(tensor, part, method(part), advice()));
    }

    /** The method that a part belongs to, if it is one that cannot be imported. */
    private static String method(String part) {
        if (part.matches(".*\\.(qweight|qzeros|g_idx|scales)")) {
            return " (GPTQ or AWQ)";
        }
        return part.matches(".*(SCB|absmax|quant_map|quant_state|nested_).*")
                ? " (bitsandbytes)"
                : "";
    }

    private String advice() {
        return "only F64, F32, F16, BF16 and the packed forms FP8, int4 and int8 in groups, NVFP4 and MXFP4 can be imported; a quantized checkpoint%s must be converted to bfloat16 first: get the one published in bfloat16, or load it with transformers, dequantize it and save it"
                .formatted(config.quantMethod().map(" (%s)"::formatted).orElse(""));
    }
}
