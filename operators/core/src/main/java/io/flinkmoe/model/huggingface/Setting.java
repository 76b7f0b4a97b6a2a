// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.annotation.JsonCreator;
import io.flinkmoe.model.graph.Activation;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.apache.flink.annotation.Internal;

/**
 * A value of a family's declaration that config.json may set: {@code KEY = DEFAULT}, {@code KEY |
 * OTHER_KEY = DEFAULT}, {@code KEY} without a default, or a constant, {@code = VALUE}. A key may
 * have a list with a value per layer.
 *
 * @param keys the keys in config.json, the published one first; several must agree
 * @param defaultValue the value if none is there; null if one must be
 */
@Internal
record Setting(List<String> keys, String defaultValue) {

    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    static Setting parse(String text) {
        String[] sides = text.split("=", 2);
        List<String> keys =
                Arrays.stream(sides[0].split("\\|"))
                        .map(String::strip)
                        .filter(key -> !key.isEmpty())
                        .toList();
        return new Setting(keys, sides.length == 1 ? null : sides[1].strip());
    }

    /** The key that config.json has, or the published one if it has none; null for a constant. */
    String key(CheckpointConfig config) {
        return keys.stream()
                .filter(config::has)
                .findFirst()
                .orElse(keys.isEmpty() ? null : keys.get(0));
    }

    /**
     * The same.
     *
     * @throws CheckpointException if several keys are there, and differ
     */
    private String agreedKey(CheckpointConfig config) throws CheckpointException {
        config.requireSame(keys.stream().filter(config::has).toList());
        return key(config);
    }

    /** Whether config.json has the value. */
    boolean isSet(CheckpointConfig config) {
        return keys.stream().anyMatch(config::has);
    }

    /** Whether config.json has one of the keys with the value null, and none with another. */
    boolean isNull(CheckpointConfig config) {
        return !isSet(config) && keys.stream().anyMatch(config::isNull);
    }

    boolean flag(CheckpointConfig config) throws CheckpointException {
        String key = agreedKey(config);
        return key == null
                ? Boolean.parseBoolean(defaultValue)
                : config.flag(key, Boolean.parseBoolean(defaultValue));
    }

    double number(CheckpointConfig config) throws CheckpointException {
        double value = Double.parseDouble(defaultValue);
        return keys.isEmpty() ? value : config.number(agreedKey(config), value);
    }

    /** A number above 0. */
    float positive(CheckpointConfig config) throws CheckpointException {
        float value = Float.parseFloat(defaultValue);
        return keys.isEmpty() ? value : config.positiveFloat(agreedKey(config), value);
    }

    String text(CheckpointConfig config) throws CheckpointException {
        return keys.isEmpty() ? defaultValue : config.text(agreedKey(config), defaultValue);
    }

    /** The activation that it names. */
    Activation activation(CheckpointConfig config) throws CheckpointException {
        return switch (text(config).toLowerCase(Locale.ROOT)) {
            case "relu" -> Activation.RELU;
            case "relu2" -> Activation.RELU2;
            case "silu", "swish" -> Activation.SILU;
            case "gelu_new", "gelu_pytorch_tanh" -> Activation.GELU_TANH;
            case "gelu" -> Activation.GELU_ERF;
            default ->
                    throw config.invalid(
                            key(config),
                            "one of relu, silu, swish, gelu, gelu_new, gelu_pytorch_tanh, relu2");
        };
    }

    /** An integer of 0 or more. */
    int count(CheckpointConfig config) throws CheckpointException {
        int value = Integer.parseInt(defaultValue);
        return keys.isEmpty() ? value : config.count(agreedKey(config), value);
    }

    /**
     * An integer of 1 or more.
     *
     * @param layer the number of the layer in the model
     */
    int positiveInt(CheckpointConfig config, int layer) throws CheckpointException {
        if (keys.isEmpty() || defaultValue != null && !isSet(config)) {
            return Integer.parseInt(defaultValue);
        }
        return config.positiveIntOf(keys, layer);
    }
}
