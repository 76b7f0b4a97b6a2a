// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.forward;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.OutputRows;
import io.flinkmoe.column.OutputSpec;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.reference.GateResult;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.tensor.SafetensorsWriter;
import java.io.BufferedWriter;
import java.io.IOException;
import java.lang.reflect.Array;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.flink.annotation.Internal;

/** Writes the answers for tokens: a safetensors file, or the named outputs as JSON lines. */
@Internal
record ForwardOutput(Path file, BundleSpec spec) {

    private static final ObjectMapper JSON = new ObjectMapper();

    /** Whether the file is to have JSON lines. */
    private boolean isJson() {
        String name = file.getFileName().toString();
        return name.endsWith(".jsonl") || name.endsWith(".json") || name.endsWith(".ndjson");
    }

    /**
     * @throws IOException if the file cannot hold the outputs of the model
     */
    void check() throws IOException {
        for (Column column : spec.outputLayout().columns()) {
            if (column.name().equals("__metadata__") && !isJson()) {
                throw new IOException(
                        "--output is '%s'; a safetensors file cannot have a tensor named %s; write JSON lines: --output FILE.jsonl"
                                .formatted(file, column.name()));
            }
            if (column.type() == ColumnType.STRING && !isJson()) {
                throw new IOException(
                        "--output is '%s'; the output %s is a string, which a safetensors file cannot hold; write JSON lines: --output FILE.jsonl"
                                .formatted(file, column.name()));
            }
        }
    }

    /** Writes the answers for T tokens. */
    void write(int tokens, ReferenceModel.Result result) throws IOException {
        if (isJson()) {
            writeJson(tokens, result);
        } else {
            writeTensors(tokens, result);
        }
    }

    private void writeJson(int tokens, ReferenceModel.Result result) throws IOException {
        try (BufferedWriter out = Files.newBufferedWriter(file)) {
            for (int row = 0; row < tokens; row++) {
                Map<String, Object> line = result.outputs().row(row).toMap();
                if (result.rejected()[row] != null || result.absent()[row]) {
                    line.replaceAll((name, value) -> null);
                }
                out.write(JSON.writeValueAsString(line));
                out.newLine();
            }
        }
    }

    private void writeTensors(int tokens, ReferenceModel.Result result) throws IOException {
        SafetensorsWriter writer = new SafetensorsWriter();
        writer.add("out", new long[] {tokens, spec.outputSize()}, result.out());
        Set<String> used = new TreeSet<>(Set.of("out"));
        List<LayerResult> layers = result.layers();
        for (int i = 0; i < layers.size(); i++) {
            LayerResult layer = layers.get(i);
            String prefix = layers.size() == 1 ? "" : "layers.%d.".formatted(i);
            LayerSpec layerSpec = spec.layers().get(i);
            int k = layerSpec.choices();
            int[] outcomes = new int[layer.outcomes().length];
            for (int choice = 0; choice < outcomes.length; choice++) {
                outcomes[choice] = layer.outcomes()[choice];
            }
            if (ForwardCommand.hasLogits(layerSpec)) {
                long[] shape = {tokens, layerSpec.numExperts()};
                writer.add(prefix + "logits", shape, layer.logits());
            }
            writer.add(prefix + "experts", new long[] {tokens, k}, layer.experts())
                    .add(prefix + "weights", new long[] {tokens, k}, layer.weights())
                    .add(prefix + "outcomes", new long[] {tokens, k}, outcomes);
            used.addAll(
                    List.of(
                            prefix + "logits",
                            prefix + "experts",
                            prefix + "weights",
                            prefix + "outcomes"));
            for (int gate = 0; gate < layer.gates().size(); gate++) {
                String name = "%sgates.%s.".formatted(prefix, layerSpec.gateName(gate));
                addGate(writer, name, tokens, layerSpec, gate, layer.gates().get(gate));
            }
        }
        boolean isNamed = !spec.outputs().get(0).name().equals(OutputSpec.DEFAULT_NAME);
        if (!spec.answersWithVector() || isNamed) {
            addOutputs(writer, used, tokens, result.outputs());
        }
        writer.writeTo(file);
    }

    /** A tensor for each output; one whose name is taken is called output.NAME. */
    private static void addOutputs(
            SafetensorsWriter writer, Set<String> used, int tokens, OutputRows outputs) {
        List<Column> columns = outputs.layout().columns();
        Object[] arrays = new Object[columns.size()];
        for (int i = 0; i < arrays.length; i++) {
            arrays[i] = array(columns.get(i).type(), tokens * columns.get(i).count());
        }
        for (int row = 0; row < tokens; row++) {
            TypedValues values = outputs.row(row);
            for (int i = 0; i < arrays.length; i++) {
                int n = columns.get(i).count();
                if (columns.get(i).width() == null) {
                    Array.set(arrays[i], row, values.get(i));
                } else {
                    System.arraycopy(values.get(i), 0, arrays[i], row * n, n);
                }
            }
        }
        for (int i = 0; i < arrays.length; i++) {
            Column column = columns.get(i);
            String name = column.name();
            writer.add(
                    used.contains(name) ? "output." + name : name,
                    column.width() == null
                            ? new long[] {tokens}
                            : new long[] {tokens, column.count()},
                    arrays[i]);
        }
    }

    private static Object array(ColumnType type, int length) {
        return switch (type) {
            case FLOAT -> new float[length];
            case DOUBLE -> new double[length];
            case INT32 -> new int[length];
            case INT64 -> new long[length];
            case BOOL -> new boolean[length];
            case STRING -> new String[length];
        };
    }

    private static void addGate(
            SafetensorsWriter writer,
            String prefix,
            int tokens,
            LayerSpec spec,
            int gate,
            GateResult result) {
        long[] ranks = {tokens, spec.gates().get(gate).k()};
        long[] columns = {tokens, ForwardCommand.columns(spec, gate)};
        writer.add(prefix + "experts", ranks, result.experts());
        writer.add(prefix + "weights", ranks, result.weights());
        if (columns[1] > 0) {
            writer.add(prefix + "logits", columns, result.logits());
        }
    }
}
