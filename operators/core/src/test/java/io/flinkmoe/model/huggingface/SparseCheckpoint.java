// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Writes a Mixtral checkpoint of one layer as a sparse file: all weights are zero but those that
 * are set, so that a checkpoint of any size takes no space.
 *
 * @param d the width
 * @param h the inner width
 * @param n the number of experts
 */
record SparseCheckpoint(int d, int h, int n) {
    private static final ObjectMapper MAPPER = new ObjectMapper();
    private static final String MOE = "model.layers.0.block_sparse_moe.";

    /** Three tensors per expert. */
    Path single(Path folder, String type) throws IOException {
        Map<String, long[]> shapes = router();
        for (int e = 0; e < n; e++) {
            String expert = MOE + "experts.%d.".formatted(e);
            shapes.put(expert + "w1.weight", new long[] {h, d});
            shapes.put(expert + "w3.weight", new long[] {h, d});
            shapes.put(expert + "w2.weight", new long[] {d, h});
        }
        write(folder, type, shapes);
        return folder;
    }

    /** Three tensors per expert in FP8, each with one scale per block of 128 × 128. */
    Path fp8(Path folder) throws IOException {
        Map<String, long[]> shapes = router();
        Map<String, String> types = new LinkedHashMap<>();
        types.put(MOE + "gate.weight", "BF16");
        for (int e = 0; e < n; e++) {
            for (String matrix : new String[] {"w1", "w3", "w2"}) {
                String name = MOE + "experts.%d.%s.weight".formatted(e, matrix);
                long rows = matrix.equals("w2") ? d : h;
                long columns = matrix.equals("w2") ? h : d;
                shapes.put(name, new long[] {rows, columns});
                shapes.put(
                        name + "_scale_inv",
                        new long[] {(rows + 127) / 128, (columns + 127) / 128});
                types.put(name, "F8_E4M3");
                types.put(name + "_scale_inv", "F32");
            }
        }
        write(folder, types, shapes);
        return folder;
    }

    /** Two tensors for all experts. */
    Path fused(Path folder, String type, boolean transposed) throws IOException {
        Map<String, long[]> shapes = router();
        shapes.put(
                MOE + "experts.gate_up_proj",
                transposed ? new long[] {n, d, 2L * h} : new long[] {n, 2L * h, d});
        shapes.put(
                MOE + "experts.down_proj",
                transposed ? new long[] {n, h, d} : new long[] {n, d, h});
        write(folder, type, shapes);
        return folder;
    }

    private Map<String, long[]> router() {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put(MOE + "gate.weight", new long[] {n, d});
        return shapes;
    }

    private void write(Path folder, String type, Map<String, long[]> shapes) throws IOException {
        Map<String, String> types = new LinkedHashMap<>();
        shapes.keySet().forEach(name -> types.put(name, type));
        write(folder, types, shapes);
    }

    private void write(Path folder, Map<String, String> types, Map<String, long[]> shapes)
            throws IOException {
        Files.createDirectories(folder);
        ObjectNode config = MAPPER.createObjectNode().put("model_type", "mixtral");
        config.put("hidden_size", d).put("intermediate_size", h).put("num_hidden_layers", 1);
        config.put("num_local_experts", n).put("num_experts_per_tok", 1);
        Files.writeString(folder.resolve("config.json"), config.toString());
        ObjectNode header = MAPPER.createObjectNode();
        long end = 0;
        for (Map.Entry<String, long[]> e : shapes.entrySet()) {
            long size = bytes(types.get(e.getKey()));
            for (long dim : e.getValue()) {
                size *= dim;
            }
            ObjectNode entry = header.putObject(e.getKey()).put("dtype", types.get(e.getKey()));
            entry.set("shape", MAPPER.valueToTree(e.getValue()));
            entry.set("data_offsets", MAPPER.valueToTree(new long[] {end, end + size}));
            end += size;
        }
        byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
        Path path = folder.resolve("model.safetensors");
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            file.write(littleEndian(8).putLong(json.length).array());
            file.write(json);
            file.setLength(8 + json.length + end);
        }
    }

    /**
     * Sets one weight of one expert.
     *
     * @param folder what {@link #fused} has written with type F64
     * @param matrix 0 for gate, 1 for up [h, d], 2 for down [d, h]
     */
    void set(Path folder, boolean transposed, int expert, int matrix, int row, int column)
            throws IOException {
        long size = (long) h * d;
        long at = (long) n * d;
        if (matrix < 2) {
            long within =
                    transposed
                            ? (long) column * 2 * h + matrix * (long) h + row
                            : matrix * size + (long) row * d + column;
            at += expert * 2 * size + within;
        } else {
            long within = transposed ? (long) column * d + row : (long) row * h + column;
            at += n * 2 * size + expert * size + within;
        }
        Path path = folder.resolve("model.safetensors");
        try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
            byte[] length = new byte[8];
            file.readFully(length);
            long header = ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).getLong();
            file.seek(8 + header + 8 * at);
            file.write(littleEndian(8).putDouble(1 + matrix).array());
        }
    }

    private static int bytes(String type) {
        return switch (type) {
            case "F64" -> 8;
            case "F32" -> 4;
            case "F8_E4M3" -> 1;
            default -> 2;
        };
    }

    private static ByteBuffer littleEndian(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }
}
