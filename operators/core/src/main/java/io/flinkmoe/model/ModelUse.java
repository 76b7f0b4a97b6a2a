// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.routing.ScoringFunc;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * What model.json says of one file: its widths, the fields that state them, and its kind.
 *
 * @param model the file, and which of its tensors are used
 * @param inputField the field that states the width of the input
 * @param outputField the field that states the width of the output
 * @param kind what is special about it
 */
@Internal
public record ModelUse(
        ModelFile model,
        String inputField,
        int inputWidth,
        String outputField,
        int outputWidth,
        Kind kind) {

    /** What is special about a model. */
    public enum Kind {
        /** It is an expert and may run on a GPU; all other models run on the CPU. */
        EXPERT,
        /** Its outputs become scores by a softmax. */
        SOFTMAX_ROUTER,
        OTHER
    }

    private static final String INPUT = "input_size";
    private static final String OUTPUT = "output_size";

    /** The path relative to the bundle. */
    public String file() {
        return model.file();
    }

    /**
     * All uses of files with one input and one output, both vectors, in the order of the
     * computation: all but an encoder or a head with typed columns.
     */
    public static List<ModelUse> of(BundleSpec spec) {
        List<ModelUse> uses = new ArrayList<>();
        List<LayerSpec> layers = spec.layers();
        if (spec.encoder() != null && !spec.encodesColumns()) {
            uses.add(
                    model(
                            spec.vectorEncoder(),
                            "inputs[0].width",
                            spec.inputSize(),
                            "layers[0].input_size",
                            spec.firstSize()));
        }
        for (int i = 0; i < layers.size(); i++) {
            new OfLayer(uses, spec.inputSize(), layers.get(i), "layers[%d].".formatted(i)).add();
        }
        if (spec.head() != null && !spec.headHasColumns()) {
            uses.add(
                    model(
                            spec.vectorHead(),
                            "layers[%d].output_size".formatted(layers.size() - 1),
                            spec.lastSize(),
                            "outputs[0].width",
                            spec.outputSize()));
        }
        return uses;
    }

    private static ModelUse model(
            ModelFile file, String inputField, int in, String outputField, int out) {
        return new ModelUse(file, inputField, in, outputField, out, Kind.OTHER);
    }

    /** Adds the uses of one layer, whose fields begin with {@code prefix}. */
    private record OfLayer(List<ModelUse> uses, int tokenSize, LayerSpec layer, String prefix) {

        void add() {
            String in = prefix + INPUT;
            String out = prefix + OUTPUT;
            int width = layer.inputSize();
            if (layer.norm() != null) {
                uses.add(model(layer.norm(), in, width, in, width));
            }
            for (int gate = 0; gate < layer.gates().size(); gate++) {
                if (layer.gates().get(gate).rule() == null) {
                    addGate(gate);
                }
            }
            if (layer.expertScale() != null) {
                uses.add(model(layer.expertScale(), in, width, "one factor per token", 1));
            }
            String row = in;
            if (layer.options().expertInput() != null) {
                row = prefix + "options.expert_input_size";
                ModelFile file = layer.options().expertInput();
                uses.add(model(file, in, width, row, layer.expertRowSize()));
            }
            for (int expert = 0; expert < layer.numExperts(); expert++) {
                if (!layer.experts().get(expert).isIdentity()) {
                    addExpert(expert, row);
                }
            }
            int last = layer.outputSize();
            if (layer.options().routedOutput() != null) {
                String sum = prefix + "experts[].output_size";
                uses.add(model(layer.options().routedOutput(), sum, layer.routedSize(), out, last));
            }
            for (ModelFile shared : layer.sharedExperts()) {
                uses.add(model(shared, in, width, out, last));
            }
            for (ModelFile branch : layer.options().branchFiles()) {
                uses.add(model(branch, in, width, out, last));
            }
            if (layer.postNorm() != null) {
                uses.add(model(layer.postNorm(), out, last, out, last));
            }
        }

        private void addExpert(int expert, String row) {
            ExpertSpec spec = layer.experts().get(expert);
            String field = "%sexperts[%d].".formatted(prefix, expert);
            uses.add(
                    new ModelUse(
                            spec.file(),
                            spec.input() == null ? row : field + "input",
                            layer.expertInput(expert),
                            field + OUTPUT,
                            spec.outputSize(),
                            Kind.EXPERT));
        }

        private void addGate(int gate) {
            GateSpec spec = layer.gates().get(gate);
            String field = "%sgates[%d].".formatted(prefix, gate);
            String in = spec.input() == null ? prefix + INPUT : field + "input";
            String columns = field + "routing.num_experts";
            int n = spec.routing().numExperts();
            int width = layer.gateInput(gate);
            boolean isSoftmax = spec.routing().scoringFunc() == ScoringFunc.SOFTMAX;
            uses.add(
                    new ModelUse(
                            spec.router(),
                            spec.readsToken() ? "inputs[0].width" : in,
                            spec.readsToken() ? tokenSize : width,
                            columns,
                            n,
                            isSoftmax ? Kind.SOFTMAX_ROUTER : Kind.OTHER));
            if (spec.routerNoise() != null) {
                uses.add(model(spec.routerNoise(), in, width, columns, n));
            }
        }
    }
}
