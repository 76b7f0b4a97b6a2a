// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.OutputSpec;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A rule's key that no value of its column is written as would never match. */
class ColumnCheckTest {

    private static void check(ColumnType type, String key) {
        List<InputSpec> inputs =
                List.of(
                        new InputSpec("x", ColumnType.FLOAT, 2),
                        new InputSpec("c", type, null, InputSpec.NO_TENSOR, null));
        RuleSpec rule = RuleSpec.ofColumn("c", Map.of(key, "0"), "0");
        LayerSpec layer =
                new LayerSpec(
                        2,
                        2,
                        null,
                        null,
                        ResidualKind.NONE,
                        List.of(ExpertSpec.of("e.onnx", 2)),
                        List.of(),
                        List.of(GateSpec.of("g", rule)),
                        null);
        new ColumnCheck(inputs, OutputSpec.vector(2), List.of(layer)).check(null, null);
    }

    @ParameterizedTest
    @CsvSource({"BOOL,true", "BOOL,false", "INT32,-7", "INT64,2147483648", "STRING,True"})
    void acceptsKeysAsValuesAreWritten(ColumnType type, String key) {
        assertThatCode(() -> check(type, key)).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @CsvSource({
        "BOOL,True",
        "BOOL,1",
        "INT32,abc",
        "INT32,7.0",
        "INT32,07",
        "INT32,+7",
        "INT32,0x7",
        "INT32,2147483648",
        "INT64,' 7'"
    })
    void refusesKeysThatNoValueIsWrittenAs(ColumnType type, String key) {
        assertThatThrownBy(() -> check(type, key))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(
                        "layers[0] has a rule with the key '%s', which no value of the column c ",
                        key);
    }
}
