// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import io.flinkmoe.tensor.SafetensorsException;
import io.flinkmoe.tensor.SafetensorsFile;
import io.flinkmoe.tensor.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/** A safetensors file: reads its header, and then every tensor. */
@Internal
final class SafetensorsTarget implements FuzzTarget {

    private Path file;

    @Override
    public List<byte[]> open(Path dir) {
        file = dir.resolve("model.safetensors");
        return List.of(
                file(
                        """
                        {"__metadata__":{"format":"pt"},\
                        "w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},\
                        "h":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},\
                        "i":{"dtype":"I64","shape":[2,1],"data_offsets":[32,48]}}""",
                        48),
                file(
                        """
                        {"a":{"dtype":"F64","shape":[],"data_offsets":[0,8]},\
                        "b":{"dtype":"U8","shape":[0,7],"data_offsets":[8,8]},\
                        "c":{"dtype":"F16","shape":[100],"data_offsets":[8,208]}}""",
                        208));
    }

    private static byte[] file(String header, int dataBytes) {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + json.length + dataBytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(json.length)
                .put(json)
                .array();
    }

    @Override
    public void read(byte[] input) throws IOException {
        Files.write(file, input);
        try (SafetensorsFile opened = SafetensorsFile.open(file)) {
            for (TensorInfo tensor : opened.tensors().values()) {
                switch (tensor.dtype()) {
                    case F64, F32, F16, BF16 -> opened.floats(tensor.name());
                    case I64, I32, I16, I8, U8 -> opened.ints(tensor.name());
                    default -> opened.shape(tensor.name());
                }
            }
        }
    }

    @Override
    public Set<Class<? extends Exception>> rejections() {
        return Set.of(SafetensorsException.class);
    }
}
