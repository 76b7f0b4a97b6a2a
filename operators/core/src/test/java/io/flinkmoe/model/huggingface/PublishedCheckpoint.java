// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.tensor.DType;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/** Writes a checkpoint as the Hugging Face libraries do: config.json and named tensors. */
final class PublishedCheckpoint {
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private record Tensor(long[] shape, float[] data) {}

    private record Opaque(String type, int bytes) {}

    final ObjectNode config = MAPPER.createObjectNode();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final Map<String, Opaque> opaque = new LinkedHashMap<>();

    PublishedCheckpoint(String modelType) {
        config.put("model_type", modelType);
    }

    PublishedCheckpoint add(String name, float[] data, long... shape) {
        tensors.put(name, new Tensor(shape, data));
        return this;
    }

    PublishedCheckpoint remove(String name) {
        if (tensors.remove(name) == null) {
            throw new IllegalArgumentException(
                    "there is no tensor %s to remove; there are %s"
                            .formatted(name, tensors.keySet()));
        }
        return this;
    }

    /** Replaces the last value of a tensor. */
    PublishedCheckpoint spoil(String name, float value) {
        float[] data = tensors.get(name).data;
        data[data.length - 1] = value;
        return this;
    }

    /** Adds a tensor [1] of a type that this class cannot write otherwise. */
    PublishedCheckpoint addOpaque(String name, String type, int bytes) {
        opaque.put(name, new Opaque(type, bytes));
        return this;
    }

    /**
     * Replaces the tensors of the experts by two, as newer versions of the published code do.
     *
     * @param matrices the names of gate, up and down projection
     */
    PublishedCheckpoint fuse(String experts, List<String> matrices, boolean transposed) {
        return fuse(experts, matrices, transposed, false, false);
    }

    /**
     * The same for experts of any form.
     *
     * @param matrices the names of gate, up and down projection, or of up and down projection
     * @param biased whether they have biases
     * @param interleaved whether the rows of gate and up projection alternate
     */
    PublishedCheckpoint fuse(
            String experts,
            List<String> matrices,
            boolean transposed,
            boolean biased,
            boolean interleaved) {
        List<String> inner = matrices.subList(0, matrices.size() - 1);
        List<String> outer = List.of(matrices.get(inner.size()));
        String first = experts + (inner.size() == 2 ? ".gate_up_proj" : ".up_proj");
        fuseMatrices(first, experts, inner, transposed, interleaved);
        fuseMatrices(experts + ".down_proj", experts, outer, transposed, false);
        if (biased) {
            fuseBiases(first + "_bias", experts, inner, interleaved);
            fuseBiases(experts + ".down_proj_bias", experts, outer, false);
        }
        return this;
    }

    private void fuseMatrices(
            String name,
            String experts,
            List<String> matrices,
            boolean transposed,
            boolean interleaved) {
        List<List<Tensor>> parts =
                matrices.stream().map(m -> takeExperts(experts, m + ".weight")).toList();
        int n = parts.get(0).size();
        int rows = (int) parts.get(0).get(0).shape[0];
        int columns = (int) parts.get(0).get(0).shape[1];
        int all = rows * parts.size();
        float[] data = new float[n * all * columns];
        for (int i = 0; i < data.length; i++) {
            int column = i % columns;
            int row = i / columns % all;
            int part = interleaved ? row % parts.size() : row / rows;
            int rowOfPart = interleaved ? row / parts.size() : row % rows;
            int expert = i / columns / all;
            int at = transposed ? (expert * columns + column) * all + row : i;
            data[at] = parts.get(part).get(expert).data[rowOfPart * columns + column];
        }
        add(name, data, transposed ? new long[] {n, columns, all} : new long[] {n, all, columns});
    }

    private void fuseBiases(
            String name, String experts, List<String> matrices, boolean interleaved) {
        List<List<Tensor>> parts =
                matrices.stream().map(m -> takeExperts(experts, m + ".bias")).toList();
        int n = parts.get(0).size();
        int rows = (int) parts.get(0).get(0).shape[0];
        int all = rows * parts.size();
        float[] data = new float[n * all];
        for (int i = 0; i < data.length; i++) {
            int row = i % all;
            int part = interleaved ? row % parts.size() : row / rows;
            int rowOfPart = interleaved ? row / parts.size() : row % rows;
            data[i] = parts.get(part).get(i / all).data[rowOfPart];
        }
        add(name, data, n, all);
    }

    /** Swaps the last two dimensions of a tensor [n, rows, columns]. */
    void transpose(String name) {
        Tensor tensor = tensors.get(name);
        int n = (int) tensor.shape[0];
        int rows = (int) tensor.shape[1];
        int columns = (int) tensor.shape[2];
        float[] data = new float[tensor.data.length];
        for (int i = 0; i < data.length; i++) {
            int column = i % columns;
            int row = i / columns % rows;
            data[i - column - row * columns + column * rows + row] = tensor.data[i];
        }
        add(name, data, n, columns, rows);
    }

    private List<Tensor> takeExperts(String experts, String matrix) {
        List<Tensor> taken = new ArrayList<>();
        for (int e = 0; ; e++) {
            Tensor tensor = tensors.remove("%s.%d.%s".formatted(experts, e, matrix));
            if (tensor == null) {
                return taken;
            }
            taken.add(tensor);
        }
    }

    void rename(UnaryOperator<String> renaming) {
        Map<String, Tensor> old = new LinkedHashMap<>(tensors);
        tensors.clear();
        old.forEach((name, tensor) -> tensors.put(renaming.apply(name), tensor));
    }

    /** The names of the tensors; of those that differ only in the expert, only the last one. */
    Collection<String> oneTensorOfEachKind() {
        Map<String, String> kinds = new LinkedHashMap<>();
        for (String name : tensors.keySet()) {
            kinds.put(name.replaceAll("experts\\.(expert_)?\\d+", "experts"), name);
        }
        return kinds.values();
    }

    /** Rounds every value to a type of 16 bits. */
    PublishedCheckpoint round(DType type) {
        for (Tensor tensor : tensors.values()) {
            for (int i = 0; i < tensor.data.length; i++) {
                tensor.data[i] = value(type, bits(type, tensor.data[i]));
            }
        }
        return this;
    }

    /** Writes config.json and model.safetensors, all tensors of one type. */
    Path write(Path directory, DType type) throws IOException {
        Files.createDirectories(directory);
        Files.writeString(directory.resolve("config.json"), config.toString());
        writeTensors(directory.resolve("model.safetensors"), type, List.copyOf(tensors.keySet()));
        return directory;
    }

    /** Writes config.json, the given number of shards, and their index. */
    Path writeShards(Path directory, int shards) throws IOException {
        Files.createDirectories(directory);
        Files.writeString(directory.resolve("config.json"), config.toString());
        ObjectNode index = MAPPER.createObjectNode();
        ObjectNode weightMap = index.putObject("weight_map");
        List<String> names = List.copyOf(tensors.keySet());
        for (int shard = 0; shard < shards; shard++) {
            String file = "model-%05d-of-%05d.safetensors".formatted(shard + 1, shards);
            List<String> own = new ArrayList<>();
            for (int i = shard; i < names.size(); i += shards) {
                own.add(names.get(i));
                weightMap.put(names.get(i), file);
            }
            writeTensors(directory.resolve(file), DType.F32, own);
        }
        Files.writeString(directory.resolve("model.safetensors.index.json"), index.toString());
        return directory;
    }

    private void writeTensors(Path file, DType type, List<String> names) throws IOException {
        ObjectNode header = MAPPER.createObjectNode();
        long end = 0;
        for (String name : names) {
            Tensor tensor = tensors.get(name);
            ObjectNode entry = header.putObject(name);
            entry.put("dtype", type.name());
            entry.set("shape", MAPPER.valueToTree(tensor.shape));
            long begin = end;
            end += (long) tensor.data.length * type.bytes();
            entry.set("data_offsets", MAPPER.valueToTree(new long[] {begin, end}));
        }
        for (Map.Entry<String, Opaque> e : opaque.entrySet()) {
            ObjectNode entry = header.putObject(e.getKey());
            entry.put("dtype", e.getValue().type);
            entry.set("shape", MAPPER.valueToTree(new long[] {1}));
            entry.set(
                    "data_offsets",
                    MAPPER.valueToTree(new long[] {end, end += e.getValue().bytes}));
        }
        byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
        try (OutputStream out = Files.newOutputStream(file)) {
            out.write(littleEndian(8).putLong(json.length).array());
            out.write(json);
            for (String name : names) {
                float[] data = tensors.get(name).data;
                ByteBuffer bytes = littleEndian(data.length * type.bytes());
                for (float value : data) {
                    if (type == DType.F32) {
                        bytes.putFloat(value);
                    } else {
                        bytes.putShort((short) bits(type, value));
                    }
                }
                out.write(bytes.array());
            }
            for (Opaque tensor : opaque.values()) {
                out.write(new byte[tensor.bytes]);
            }
        }
    }

    private static ByteBuffer littleEndian(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The nearest value of 16 bits, ties to even. */
    private static int bits(DType type, float value) {
        int bits = Float.floatToIntBits(value);
        if (type == DType.BF16) {
            return bits + 0x7fff + (bits >>> 16 & 1) >>> 16;
        }
        int exponent = Math.max(Math.getExponent(value), -14);
        int units = (int) Math.rint(Math.scalb(Math.abs(value), 10 - exponent));
        return bits >>> 16 & 0x8000 | (exponent + 14 << 10) + units;
    }

    private static float value(DType type, int bits) {
        if (type == DType.BF16) {
            return Float.intBitsToFloat(bits << 16);
        }
        int exponent = Math.max((bits >> 10 & 0x1f) - 15, -14);
        int units = (bits & 0x7fff) - (exponent + 14 << 10);
        float magnitude = Math.scalb((float) units, exponent - 10);
        return (bits & 0x8000) == 0 ? magnitude : -magnitude;
    }
}
