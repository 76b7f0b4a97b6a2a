// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.OutputSpec;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.flink.annotation.PublicEvolving;

/**
 * The content of model.json. Files are given by their paths relative to the bundle.
 *
 * @param formatVersion the format of model.json, {@link #FORMAT_VERSION}
 * @param name the name of the model
 * @param version the version of the model; every scored token carries it
 * @param inputs the input columns of a token, at least one
 * @param outputs the outputs of the head, at least one; without a head each is a part of the last
 *     layer's output, in order
 * @param encoder the model from the input columns to [batch, input size of the first layer]; null
 *     if the first layer reads the only float column of a token
 * @param head the model from [batch, output size of the last layer] to the outputs; null if the
 *     output of the last layer is the result
 * @param layers the MoE layers in order, at least one; each reads the output of the one before it
 * @param checksums the SHA-256 of every file, in lower-case hexadecimal digits
 */
@PublicEvolving
public record BundleSpec(
        int formatVersion,
        String name,
        String version,
        List<InputSpec> inputs,
        List<OutputSpec> outputs,
        ModelFile encoder,
        ModelFile head,
        List<LayerSpec> layers,
        Map<String, String> checksums) {

    /** The format version that this release reads and writes. */
    public static final int FORMAT_VERSION = 2;

    public BundleSpec {
        if (formatVersion != FORMAT_VERSION) {
            throw new IllegalArgumentException(otherFormat(formatVersion));
        }
        Check.text("name", name);
        Check.text("version", version);
        layers = Check.list("layers", layers);
        inputs = Check.list("inputs", inputs);
        outputs = Check.list("outputs", outputs);
        new ColumnCheck(inputs, outputs, layers).check(encoder, head);
        for (int i = 1; i < layers.size(); i++) {
            checkChain(layers, i);
        }
        checksums = new TreeMap<>(Check.present("checksums", checksums));
        for (String file : checksums.keySet()) {
            Check.path("checksums", file);
        }
        for (String file : files(encoder, head, layers)) {
            if (checksums.get(file) == null) {
                throw new IllegalArgumentException(
                        "checksums has no entry for %s; expected the SHA-256 of every file"
                                .formatted(file));
            }
        }
        checksums = Collections.unmodifiableMap(checksums);
    }

    /**
     * A model from one vector to another, or to the sums of the last layer's gates.
     *
     * @param inputSize the number of values of a token
     * @param outputSize the number of values of a result
     */
    public BundleSpec(
            int formatVersion,
            String name,
            String version,
            int inputSize,
            int outputSize,
            ModelFile encoder,
            ModelFile head,
            List<LayerSpec> layers,
            Map<String, String> checksums) {
        this(
                formatVersion,
                name,
                version,
                List.of(new InputSpec("x", ColumnType.FLOAT, inputSize)),
                head == null ? outputsOf(layers, outputSize) : OutputSpec.vector(outputSize),
                encoder,
                head,
                layers,
                checksums);
    }

    /**
     * The outputs of a model without a head: the sum of each gate, or the vector of the only one.
     */
    public static List<OutputSpec> outputsOf(List<LayerSpec> layers, int outputSize) {
        if (layers.isEmpty()) {
            return OutputSpec.vector(outputSize);
        }
        LayerSpec last = layers.get(layers.size() - 1);
        if (last.hasOneGate()) {
            String name = last.gates().get(0).name();
            return name == null
                    ? OutputSpec.vector(outputSize)
                    : List.of(new OutputSpec(name, ColumnType.FLOAT, outputSize, null));
        }
        List<OutputSpec> outputs = new ArrayList<>();
        for (int gate = 0; gate < last.gates().size(); gate++) {
            outputs.add(
                    new OutputSpec(
                            last.gateName(gate),
                            ColumnType.FLOAT,
                            last.gates().get(gate).outputSize(last.experts()),
                            null));
        }
        return outputs;
    }

    /** Says that a format is not the one of this release. */
    static String otherFormat(int version) {
        return "format_version is %d; this release reads %d; make the bundle again: moe import --checkpoint CHECKPOINT --output BUNDLE"
                .formatted(version, FORMAT_VERSION);
    }

    /** All files that the encoder, the layers and the head refer to, each once. */
    public Set<String> files() {
        return files(encoder, head, layers);
    }

    private static Set<String> files(ModelFile encoder, ModelFile head, List<LayerSpec> layers) {
        Set<String> files = new LinkedHashSet<>();
        if (encoder != null) {
            files.add(encoder.file());
        }
        layers.forEach(layer -> layer.files().map(ModelFile::file).forEach(files::add));
        if (head != null) {
            files.add(head.file());
        }
        return files;
    }

    private static void checkChain(List<LayerSpec> layers, int i) {
        int before = layers.get(i - 1).outputSize();
        LayerSpec layer = layers.get(i);
        if (layer.inputSize() != before) {
            throw new IllegalArgumentException(
                    "layers[%d].input_size is %d, but output_size of layers[%d] is %d; they must be equal"
                            .formatted(i, layer.inputSize(), i - 1, before));
        }
        if (layer.gates().stream().anyMatch(GateSpec::readsToken)) {
            throw new IllegalArgumentException(
                    "router_input of layers[%d] is token; only the routers of layers[0] can read the token's own values"
                            .formatted(i));
        }
    }

    /** The input columns, and where a block has them. */
    public InputLayout inputLayout() {
        return new InputLayout(inputs, ruleColumns());
    }

    private Set<String> ruleColumns() {
        Set<String> columns = new LinkedHashSet<>();
        for (LayerSpec layer : layers) {
            columns.addAll(layer.ruleColumns());
        }
        return columns;
    }

    /** The encoder of a model that reads one vector, with the tensor that the input names. */
    public ModelFile vectorEncoder() {
        String tensor =
                inputs.stream().filter(InputSpec::isRead).findFirst().orElseThrow().tensor();
        return encoder.input() != null
                ? encoder
                : new ModelFile(encoder.file(), tensor, encoder.output());
    }

    /** The head of a model that answers with one vector, with the tensor that the output names. */
    public ModelFile vectorHead() {
        return head.output() != null
                ? head
                : new ModelFile(head.file(), head.input(), outputs.get(0).tensor());
    }

    /** Whether a layer after this one has a rule that reads a column. */
    public boolean readsColumnsAfter(int layer) {
        return layers.subList(layer + 1, layers.size()).stream()
                .anyMatch(later -> !later.ruleColumns().isEmpty());
    }

    /** Whether the model answers with one vector of floats. */
    public boolean answersWithVector() {
        return outputLayout().isVector();
    }

    /** Whether there is an encoder that reads anything but one float vector. */
    public boolean encodesColumns() {
        return encoder != null && !inputLayout().numbersAreVector();
    }

    /** Whether there is a head that answers with anything but one float vector. */
    public boolean headHasColumns() {
        return head != null && !answersWithVector();
    }

    /** The output columns. */
    public ColumnLayout outputLayout() {
        return new ColumnLayout(outputs.stream().map(OutputSpec::column).toList());
    }

    /** The 4-byte words of a token's numbers: for a vector, its width. */
    public int inputSize() {
        return inputLayout().words();
    }

    /** The number of float values of a result. */
    public int outputSize() {
        int size = 0;
        for (OutputSpec output : outputs) {
            size += output.type() == ColumnType.FLOAT ? output.column().count() : 0;
        }
        return size;
    }

    /** The width of the vectors that the head reads, or of the results. */
    public int lastSize() {
        return layers.get(layers.size() - 1).outputSize();
    }

    /** The width of the vectors that the first layer reads. */
    public int firstSize() {
        return layers.get(0).inputSize();
    }

    /** The width of the widest vectors between, before and after the layers. */
    public int widestSize() {
        int widest = Math.max(inputSize(), outputSize());
        for (LayerSpec layer : layers) {
            widest = Math.max(widest, Math.max(layer.inputSize(), layer.outputSize()));
            widest = Math.max(widest, Math.max(layer.expertRowSize(), layer.routedSize()));
        }
        return widest;
    }
}
