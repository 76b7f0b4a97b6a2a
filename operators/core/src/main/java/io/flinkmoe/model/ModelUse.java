// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * What model.json says of one file: its widths, the fields that state them, and whether it is an
 * expert, which may run on a GPU.
 *
 * @param file the path relative to the bundle
 * @param inputField the field that states the width of the input
 * @param outputField the field that states the width of the output
 * @param expert whether it is an expert; all other models run on the CPU
 */
@Internal
public record ModelUse(
        String file,
        String inputField,
        int inputWidth,
        String outputField,
        int outputWidth,
        boolean expert) {

    private static final String INPUT = "input_size";
    private static final String HIDDEN = "hidden_size";

    /** All uses of files in a bundle, in the order of the computation. */
    public static List<ModelUse> of(BundleSpec spec) {
        List<ModelUse> uses = new ArrayList<>();
        int d = spec.hiddenSize();
        if (spec.encoder() != null) {
            uses.add(model(spec.encoder(), INPUT, spec.inputSize(), HIDDEN, d));
        }
        for (LayerSpec layer : spec.layers()) {
            addLayer(uses, layer, spec.inputSize(), d);
        }
        if (spec.head() != null) {
            uses.add(model(spec.head(), HIDDEN, d, "output_size", spec.outputSize()));
        }
        return uses;
    }

    private static void addLayer(List<ModelUse> uses, LayerSpec layer, int inputSize, int d) {
        if (layer.norm() != null) {
            uses.add(model(layer.norm(), HIDDEN, d, HIDDEN, d));
        }
        int n = layer.routing().numExperts();
        boolean readsToken = layer.routerInput() == LayerSpec.RouterInput.TOKEN;
        uses.add(
                model(
                        layer.router(),
                        readsToken ? INPUT : HIDDEN,
                        readsToken ? inputSize : d,
                        "num_experts",
                        n));
        if (layer.routerNoise() != null) {
            uses.add(model(layer.routerNoise(), HIDDEN, d, "num_experts", n));
        }
        if (layer.expertScale() != null) {
            uses.add(model(layer.expertScale(), HIDDEN, d, "one factor per token", 1));
        }
        for (String expert : layer.experts()) {
            uses.add(new ModelUse(expert, HIDDEN, d, HIDDEN, d, true));
        }
        for (String shared : layer.sharedExperts()) {
            uses.add(model(shared, HIDDEN, d, HIDDEN, d));
        }
    }

    private static ModelUse model(
            String file, String inputField, int in, String outputField, int out) {
        return new ModelUse(file, inputField, in, outputField, out, false);
    }
}
