// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.forward;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.column.TypedValuesBuilder;
import io.flinkmoe.model.FileErrors;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Array;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * The inputs of tokens from a file: a safetensors file with a tensor for each input of the model,
 * or JSON lines, an object in each line with a key for each input.
 */
@Internal
record ForwardInput(Path file, InputLayout inputs) {

    private static final int MOST_NAMED = 8;

    /** Editors of Windows begin files in UTF-8 with it. */
    private static final String BYTE_ORDER_MARK = "\uFEFF";

    private static final JsonMapper JSON =
            JsonMapper.builder()
                    .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                    .build();

    /**
     * Reads all tokens.
     *
     * @throws IOException if the file cannot be read, or a token is invalid; the message names the
     *     row and the input
     */
    List<TypedValues> read() throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new IOException("%s: %s".formatted(file, FileErrors.notAFile(file)));
        }
        try {
            return isJson() ? readJson() : readTensors();
        } catch (CharacterCodingException e) {
            throw new IOException(
                    "%s is neither a safetensors file nor JSON lines in UTF-8".formatted(file), e);
        }
    }

    /** A safetensors file begins with a length of 8 bytes, the last of which are 0. */
    private boolean isJson() throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            byte[] first = in.readNBytes(8);
            for (int i = 5; i < first.length; i++) {
                if (first[i] != 0) {
                    return true;
                }
            }
            return first.length > 0 && first.length < 8;
        }
    }

    private List<TypedValues> readJson() throws IOException {
        List<TypedValues> rows = new ArrayList<>();
        TypedValuesBuilder builder = new TypedValuesBuilder(inputs);
        int number = 0;
        try (BufferedReader lines = Files.newBufferedReader(file)) {
            for (String line; (line = lines.readLine()) != null; ) {
                number++;
                if (number == 1 && line.startsWith(BYTE_ORDER_MARK)) {
                    line = line.substring(1);
                }
                if (line.isBlank()) {
                    continue;
                }
                JsonNode row = parse(line, number);
                for (Map.Entry<String, JsonNode> field : row.properties()) {
                    builder.set(field.getKey(), value(field.getValue()));
                }
                rows.add(checked(builder.build(), "line %d".formatted(number)));
            }
        }
        return rows;
    }

    private JsonNode parse(String line, int number) throws IOException {
        try {
            JsonNode row = JSON.readTree(line);
            if (row.isObject()) {
                return row;
            }
        } catch (JsonProcessingException e) {
            throw new IOException(
                    "%s: line %d is not JSON: %s; write one object in each line"
                            .formatted(file, number, e.getOriginalMessage()),
                    e);
        } catch (RuntimeException e) {
            throw new IOException("%s: line %d: %s".formatted(file, number, e.getMessage()), e);
        }
        throw new IOException(
                "%s: line %d is no JSON object; write one object in each line, with the keys %s"
                        .formatted(file, number, inputs.columns().describe()));
    }

    /** An object stays what it is: no column takes it. */
    private static Object value(JsonNode node) {
        return switch (node.getNodeType()) {
            case NULL, MISSING -> null;
            case BOOLEAN -> node.booleanValue();
            case NUMBER ->
                    !node.isIntegralNumber()
                            ? node.decimalValue()
                            : node.canConvertToLong()
                                    ? (Object) node.longValue()
                                    : node.bigIntegerValue();
            case ARRAY -> {
                List<Object> values = new ArrayList<>();
                node.forEach(entry -> values.add(value(entry)));
                yield values;
            }
            default -> node.isTextual() ? node.textValue() : node;
        };
    }

    private List<TypedValues> readTensors() throws IOException {
        List<Column> columns = inputs.columns().columns();
        Object[] arrays = new Object[columns.size()];
        int rows = -1;
        try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
            checkNames(tensors.names());
            for (int i = 0; i < arrays.length; i++) {
                Column column = columns.get(i);
                if (column.type() == ColumnType.STRING) {
                    throw new IOException(
                            "%s: the input %s is a string, which a safetensors file cannot hold; write JSON lines"
                                    .formatted(file, column.name()));
                }
                long[] shape = tensors.shape(column.name());
                checkShape(column, shape, rows);
                rows = Math.toIntExact(shape[0]);
                arrays[i] = tensors.array(column.name());
            }
        }
        return rows(columns, arrays, rows);
    }

    private void checkNames(Set<String> names) throws IOException {
        List<String> unknown =
                names.stream()
                        .filter(name -> inputs.columns().indexOf(name) < 0)
                        .sorted()
                        .limit(MOST_NAMED)
                        .toList();
        if (!unknown.isEmpty()) {
            throw new IOException(
                    "%s: the model has no inputs for the tensors %s; its inputs are %s"
                            .formatted(file, unknown, inputs.columns().describe()));
        }
    }

    private void checkShape(Column column, long[] shape, int rows) throws IOException {
        boolean fits =
                column.width() == null
                        ? shape.length == 1 || shape.length == 2 && shape[1] == 1
                        : shape.length == 2 && shape[1] == column.width();
        if (!fits || rows >= 0 && shape[0] != rows) {
            throw new IOException(
                    "%s: %s is %s; the model takes %s"
                            .formatted(
                                    file,
                                    column.name(),
                                    Arrays.toString(shape),
                                    column.width() == null
                                            ? "[T] or [T, 1], one T for all inputs"
                                            : "[T, %d]".formatted(column.width())));
        }
    }

    private List<TypedValues> rows(List<Column> columns, Object[] arrays, int rows)
            throws IOException {
        List<TypedValues> values = new ArrayList<>(rows);
        TypedValuesBuilder builder = new TypedValuesBuilder(inputs);
        for (int row = 0; row < rows; row++) {
            for (int i = 0; i < arrays.length; i++) {
                int count = columns.get(i).count();
                for (int element = 0; element < count; element++) {
                    set(builder, i, element, arrays[i], row * count + element);
                }
            }
            values.add(checked(builder.build(), "row %d".formatted(row)));
        }
        return values;
    }

    private static void set(
            TypedValuesBuilder builder, int column, int element, Object array, int at) {
        if (array instanceof float[] floats) {
            builder.setDouble(column, element, floats[at]);
        } else if (array instanceof double[] doubles) {
            builder.setDouble(column, element, doubles[at]);
        } else if (array instanceof long[] longs) {
            builder.setLong(column, element, longs[at]);
        } else {
            builder.setBoolean(column, element, Array.getBoolean(array, at));
        }
    }

    private TypedValues checked(TypedValues values, String where) throws IOException {
        if (values.problem() != null) {
            throw new IOException("%s: %s: %s".formatted(file, where, values.problem()));
        }
        return values;
    }
}
