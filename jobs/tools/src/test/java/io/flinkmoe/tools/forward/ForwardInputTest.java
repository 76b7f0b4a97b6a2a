// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.forward;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.tensor.SafetensorsWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ForwardInputTest {

    private static final InputLayout INPUTS =
            new InputLayout(
                    List.of(
                            new InputSpec("amount", ColumnType.FLOAT, null, null, "nan"),
                            new InputSpec("recent", ColumnType.INT64, 2),
                            new InputSpec("country", ColumnType.STRING, null, null, "??")),
                    List.of());

    @TempDir private Path folder;

    private List<TypedValues> read(byte[] content, InputLayout inputs) throws IOException {
        Path file = folder.resolve("in.jsonl");
        Files.write(file, content);
        return new ForwardInput(file, inputs).read();
    }

    private List<TypedValues> read(String lines) throws IOException {
        return read(lines.getBytes(StandardCharsets.UTF_8), INPUTS);
    }

    @Test
    void readsJsonLinesWithMissingValues() throws IOException {
        List<TypedValues> rows =
                read(
                        "{\"amount\": 0.1, \"recent\": [1, 2], \"country\": \"CH\"}\n\n"
                                + "{\"recent\": [3, 4.0], \"country\": null}\r\n");

        assertThat(rows).hasSize(2);
        assertThat(rows.get(0).toMap().values()).element(0).isEqualTo(0.1f);
        assertThat(rows.get(1).get("amount")).isEqualTo(Float.NaN);
        assertThat(rows.get(1).get("recent")).isEqualTo(new long[] {3, 4});
        assertThat(rows.get(1).get("country")).isEqualTo("??");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"recent\": [1, 2], \"country\": {\"a\": 1}} | line 1: country is {\"a\":1}, of no type; the model takes the type string",
                "{\"recent\": [1, \"x\"]} | line 1: recent[1] is x, a text; the model takes the type int64",
                "{\"recent\": [1]} | line 1: recent has 1 values; the model takes the type int64[2]",
                "{\"recent\": null} | line 1: recent is missing",
                "{\"recent\": [1, 2], \"age\": 3} | line 1: age is not an input of the model; its inputs are amount float, recent int64[2], country string",
                "{\"recent\": [1, 2], \"amount\": 100000000000000000000000} | line 1: amount is 100000000000000000000000, which is not exactly the type float",
                "{\"amount\": 1e9999999999} | line 1",
                "[1] | line 1 is no JSON object; write one object in each line",
                "{\"amount\": | line 1 is not JSON: Unexpected end-of-input within/between Object entries; write one object in each line"
            })
    void saysWhereALineIsWrong(String line, String message) {
        assertThatThrownBy(() -> read(line))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("in.jsonl: " + message);
    }

    @Test
    void aByteOrderMarkIsNoPartOfTheFirstLine() throws IOException {
        assertThat(read("\uFEFF{\"recent\": [1, 2]}\n{\"recent\": [3, 4]}")).hasSize(2);
    }

    @Test
    void aTensorThatIsNoInputIsRefused() throws IOException {
        Path file = folder.resolve("in.safetensors");
        new SafetensorsWriter()
                .add("x", new long[] {1, 1}, new float[] {1})
                .add("label", new long[] {1}, new long[] {1})
                .writeTo(file);

        assertThatThrownBy(() -> new ForwardInput(file, InputLayout.vector(1)).read())
                .hasMessage(
                        "%s: the model has no inputs for the tensors [label]; its inputs are x float[1]"
                                .formatted(file));
    }

    @Test
    void saysThatAFileIsNeitherOfBoth() {
        byte[] latin =
                "{\"recent\": [1, 2], \"country\": \"é\"}".getBytes(StandardCharsets.ISO_8859_1);
        assertThatThrownBy(() -> read(latin, INPUTS))
                .hasMessageContaining("is neither a safetensors file nor JSON lines in UTF-8");
        assertThatThrownBy(() -> new ForwardInput(folder, INPUTS).read())
                .hasMessageStartingWith(folder.toString());
    }

    @Test
    void readsTensorsOfOtherTypesWhereThatIsExact() throws IOException {
        InputLayout numbers =
                new InputLayout(
                        List.of(
                                new InputSpec("f", ColumnType.FLOAT, null),
                                new InputSpec("b", ColumnType.BOOL, 2)),
                        List.of());
        Path file = folder.resolve("in.safetensors");
        new SafetensorsWriter()
                .add("f", new long[] {2, 1}, new long[] {3, -4})
                .add("b", new long[] {2, 2}, new boolean[] {true, false, false, true})
                .writeTo(file);

        List<TypedValues> rows = new ForwardInput(file, numbers).read();

        assertThat(rows.get(1).get("f")).isEqualTo(-4f);
        assertThat(rows.get(1).get("b")).isEqualTo(new boolean[] {false, true});
    }
}
