// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.CharConversionException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import org.apache.flink.annotation.Internal;

/**
 * Reads the JSON header of a safetensors file, which may be malicious. As the format requires,
 * every tensor must lie inside the file and have exactly the bytes that its shape needs, and the
 * tensors must cover the data without overlap and without gap.
 */
@Internal
final class SafetensorsHeader {
    private static final ObjectReader ENTRY =
            JsonMapper.builder()
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .enable(DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES)
                    .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
                    .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
                    .build()
                    .readerFor(Entry.class);

    private record Entry(
            String dtype, long[] shape, @JsonProperty("data_offsets") long[] dataOffsets) {}

    /**
     * What a header lists.
     *
     * @param tensors the tensors by name, in the order of their data in the file
     * @param unknownTypes the types of the tensors that {@link DType} does not have, by the names
     *     of the tensors: such a file can be read as long as nobody needs them
     */
    record Contents(Map<String, TensorInfo> tensors, Map<String, String> unknownTypes) {
        Contents {
            tensors = Collections.unmodifiableMap(tensors);
            unknownTypes = Collections.unmodifiableMap(unknownTypes);
        }
    }

    /** Where the data of a tensor lies. */
    private record Span(String name, long position, long size) {}

    private final Path file;
    private final long dataStart;
    private final long dataSize;

    /**
     * @param dataStart the position of the data in the file, in bytes
     * @param dataSize the size of the data in bytes
     */
    SafetensorsHeader(Path file, long dataStart, long dataSize) {
        this.file = file;
        this.dataStart = dataStart;
        this.dataSize = dataSize;
    }

    Contents parse(byte[] json) throws IOException {
        List<TensorInfo> tensors = new ArrayList<>();
        List<Span> spans = new ArrayList<>();
        Map<String, String> unknownTypes = new LinkedHashMap<>();
        String name = null;
        try (JsonParser parser = ENTRY.createParser(json)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw new SafetensorsException(
                        file, "the header is not a JSON object; is this a safetensors file?");
            }
            while ((name = parser.nextFieldName()) != null) {
                parser.nextToken();
                if (name.equals("__metadata__")) {
                    parser.skipChildren();
                } else {
                    Entry entry = ENTRY.readValue(parser);
                    spans.add(span(name, entry));
                    if (isKnown(entry.dtype)) {
                        tensors.add(tensor(name, entry));
                    } else {
                        unknownTypes.put(name, entry.dtype);
                    }
                }
            }
            if (parser.nextToken() != null) {
                throw new SafetensorsException(
                        file, "the header has content after its JSON object");
            }
        } catch (JsonProcessingException e) {
            String where = name == null ? "the header" : "the header entry of tensor " + name;
            throw new SafetensorsException(
                    file, where + " cannot be read: " + e.getOriginalMessage());
        } catch (CharConversionException e) { // The first bytes look like UTF-32.
            throw new SafetensorsException(file, "the header cannot be read: " + e.getMessage());
        }
        spans.sort(Comparator.comparingLong(Span::position).thenComparingLong(Span::size));
        requireFilled(spans);
        tensors.sort(
                Comparator.comparingLong(TensorInfo::position)
                        .thenComparingLong(TensorInfo::byteSize));
        Map<String, TensorInfo> byName = new LinkedHashMap<>();
        tensors.forEach(t -> byName.put(t.name(), t));
        return new Contents(byName, unknownTypes);
    }

    /** Where the data is, which is checked whatever the type. */
    private Span span(String name, Entry entry) throws SafetensorsException {
        if (entry == null || entry.dtype == null || entry.shape == null) {
            throw new SafetensorsException(
                    file, name, "dtype or shape is missing in the header; expected both");
        }
        long[] offsets = entry.dataOffsets;
        if (offsets == null || offsets.length != 2) {
            throw new SafetensorsException(
                    file,
                    name,
                    "data_offsets is %s; expected [begin, end]"
                            .formatted(Arrays.toString(offsets)));
        }
        if (offsets[0] < 0 || offsets[1] < offsets[0] || offsets[1] > dataSize) {
            throw new SafetensorsException(
                    file,
                    name,
                    "data_offsets is %s; allowed: 0 ≤ begin ≤ end ≤ %d, the size of the data in the file; if the file was downloaded, the download is incomplete"
                            .formatted(Arrays.toString(offsets), dataSize));
        }
        return new Span(name, dataStart + offsets[0], offsets[1] - offsets[0]);
    }

    private TensorInfo tensor(String name, Entry entry) throws SafetensorsException {
        DType dtype = DType.valueOf(entry.dtype);
        long[] offsets = entry.dataOffsets;
        long found = offsets[1] - offsets[0];
        long expected = byteSize(name, entry.shape, dtype);
        if (found != expected) {
            throw new SafetensorsException(
                    file,
                    name,
                    "shape %s of %s needs %d bytes, but data_offsets %s has %d"
                            .formatted(
                                    Arrays.toString(entry.shape),
                                    dtype,
                                    expected,
                                    Arrays.toString(offsets),
                                    found));
        }
        List<Long> shape = LongStream.of(entry.shape).boxed().toList();
        return new TensorInfo(name, dtype, shape, dataStart + offsets[0], found);
    }

    private static boolean isKnown(String dtype) {
        return Arrays.stream(DType.values()).anyMatch(type -> type.name().equals(dtype));
    }

    private long byteSize(String name, long[] shape, DType dtype) throws SafetensorsException {
        boolean empty = false;
        for (long dim : shape) {
            if (dim < 0) {
                throw new SafetensorsException(
                        file,
                        name,
                        "shape is %s; expected no negative dimension"
                                .formatted(Arrays.toString(shape)));
            }
            empty |= dim == 0;
        }
        if (empty) {
            return 0;
        }
        long bytes = dtype.bytes();
        try {
            for (long dim : shape) {
                bytes = Math.multiplyExact(bytes, dim);
            }
        } catch (ArithmeticException e) {
            throw new SafetensorsException(
                    file,
                    name,
                    "shape %s of %s needs more than 2^63 bytes"
                            .formatted(Arrays.toString(shape), dtype));
        }
        return bytes;
    }

    private void requireFilled(List<Span> sorted) throws SafetensorsException {
        long end = dataStart;
        String before = null;
        for (Span t : sorted) {
            if (t.position() < end) {
                throw new SafetensorsException(
                        file,
                        t.name(),
                        "its data overlaps the data of tensor %s; the file is damaged"
                                .formatted(before));
            }
            requireNoGap(end, t.position());
            end = t.position() + t.size();
            before = t.name();
        }
        requireNoGap(end, dataStart + dataSize);
    }

    private void requireNoGap(long end, long next) throws SafetensorsException {
        if (next > end) {
            throw new SafetensorsException(
                    file,
                    "bytes %d to %d belong to no tensor; the file is damaged or incomplete"
                            .formatted(end, next));
        }
    }
}
