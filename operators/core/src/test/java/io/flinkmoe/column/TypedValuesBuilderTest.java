// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.column;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class TypedValuesBuilderTest {

    private static TypedValues one(ColumnType type, Integer width, String missing, Object value) {
        InputSpec input = new InputSpec("c", type, width, null, missing);
        InputLayout inputs = new InputLayout(List.of(input), List.of());
        return new TypedValuesBuilder(inputs).set("c", value).build();
    }

    static Stream<Arguments> accepted() {
        return Stream.of(
                Arguments.of(ColumnType.FLOAT, 1.5f, 1.5f),
                Arguments.of(ColumnType.FLOAT, 0.1, 0.1f),
                Arguments.of(ColumnType.FLOAT, 16_777_216, 16_777_216f),
                Arguments.of(ColumnType.FLOAT, new BigDecimal("0.1"), 0.1f),
                Arguments.of(ColumnType.DOUBLE, 0.1, 0.1),
                Arguments.of(ColumnType.DOUBLE, 1L << 53, (double) (1L << 53)),
                Arguments.of(ColumnType.INT32, 7L, 7),
                Arguments.of(ColumnType.INT32, 3.0, 3),
                Arguments.of(ColumnType.INT32, (byte) -1, -1),
                Arguments.of(ColumnType.INT64, Long.MIN_VALUE, Long.MIN_VALUE),
                Arguments.of(ColumnType.INT64, new BigInteger("7"), 7L),
                Arguments.of(ColumnType.INT64, new BigDecimal("7.00"), 7L),
                Arguments.of(ColumnType.FLOAT, BigInteger.TWO.pow(100), 0x1p100f),
                Arguments.of(ColumnType.BOOL, true, true),
                Arguments.of(ColumnType.BOOL, false, false),
                Arguments.of(ColumnType.STRING, new StringBuilder("å"), "å"));
    }

    @ParameterizedTest
    @MethodSource("accepted")
    void convertsWhatTheColumnCanHold(ColumnType type, Object value, Object stored) {
        TypedValues values = one(type, null, null, value);

        assertThat(values.problem()).isNull();
        assertThat(values.get("c")).isEqualTo(stored);
    }

    static Stream<Arguments> refused() {
        return Stream.of(
                Arguments.of(
                        ColumnType.FLOAT,
                        new BigInteger("100000000000000000000000"),
                        "c is 100000000000000000000000, which is not exactly the type float"),
                Arguments.of(
                        ColumnType.FLOAT,
                        16_777_217,
                        "c is 16777217, which is not exactly the type float"),
                Arguments.of(
                        ColumnType.FLOAT, Float.NaN, "c is NaN; only finite values are allowed"),
                Arguments.of(
                        ColumnType.DOUBLE, Double.NEGATIVE_INFINITY, "c is -Infinity; only finite"),
                Arguments.of(
                        ColumnType.DOUBLE,
                        Long.MAX_VALUE,
                        "c is 9223372036854775807, which is not exactly"),
                Arguments.of(
                        ColumnType.INT32,
                        1L << 31,
                        "c is 2147483648, which is not exactly the type int32"),
                Arguments.of(
                        ColumnType.INT32, 3.5, "c is 3.5, which is not exactly the type int32"),
                Arguments.of(ColumnType.INT64, 0x1p63, "c is 9.223372036854775807E18"),
                Arguments.of(
                        ColumnType.INT64,
                        new BigDecimal("1e30"),
                        "c is 1E+30, which is not exactly"),
                Arguments.of(
                        ColumnType.INT64, "7", "c is 7, a text; the model takes the type int64"),
                Arguments.of(
                        ColumnType.FLOAT,
                        true,
                        "c is true, a bool; the model takes the type float"),
                Arguments.of(ColumnType.BOOL, 1, "c is 1, a number; the model takes the type bool"),
                Arguments.of(
                        ColumnType.STRING,
                        1.5,
                        "c is 1.5, a number; the model takes the type string"),
                Arguments.of(
                        ColumnType.FLOAT,
                        1e39,
                        "c is 1.0E39, which is too large for the type float"),
                Arguments.of(
                        ColumnType.DOUBLE,
                        new BigDecimal("-1e400"),
                        "c is -1E+400, which is too large for the type double"),
                Arguments.of(
                        ColumnType.STRING,
                        new BigDecimal("1e400"),
                        "c is 1E+400, a number; the model takes the type string"),
                Arguments.of(ColumnType.STRING, null, "c is missing"),
                Arguments.of(ColumnType.FLOAT, List.of(1f), "c is [1.0]"));
    }

    @ParameterizedTest
    @MethodSource("refused")
    void saysWhatTheColumnCannotHold(ColumnType type, Object value, String problem) {
        if (value instanceof Double d && d == 0x1p63) {
            assertThat(one(type, null, null, value).problem()).contains("not exactly");
            return;
        }
        assertThat(one(type, null, null, value).problem()).startsWith(problem);
    }

    static Stream<Arguments> missing() {
        return Stream.of(
                Arguments.of(ColumnType.FLOAT, "nan", Float.NaN),
                Arguments.of(ColumnType.DOUBLE, "nan", Double.NaN),
                Arguments.of(ColumnType.FLOAT, "-1.5", -1.5f),
                Arguments.of(ColumnType.INT32, "3", 3),
                Arguments.of(ColumnType.INT64, "-7", -7L),
                Arguments.of(ColumnType.BOOL, "true", true),
                Arguments.of(ColumnType.STRING, "??", "??"));
    }

    @ParameterizedTest
    @MethodSource("missing")
    void aMissingValueHasTheValueThatStandsForIt(ColumnType type, String rule, Object value) {
        assertThat(one(type, null, rule, null).get("c")).isEqualTo(value);
        assertThat(one(type, null, rule, null).problem()).isNull();
    }

    @Test
    void nanIsAcceptedWhereMissingValuesAreNan() {
        assertThat(one(ColumnType.FLOAT, null, "nan", Double.NaN).problem()).isNull();
        assertThat(one(ColumnType.FLOAT, null, "0", Double.NaN).problem())
                .isEqualTo("c is NaN; only finite values are allowed");
        assertThat(one(ColumnType.FLOAT, null, "nan", Double.POSITIVE_INFINITY).problem())
                .isEqualTo("c is Infinity; only finite values are allowed");
    }

    @Test
    void aVectorHasItsWidthAndNoHoles() {
        assertThat(one(ColumnType.INT64, 3, null, new int[] {1, 2, 3}).get("c"))
                .isEqualTo(new long[] {1, 2, 3});
        assertThat(one(ColumnType.STRING, 2, null, List.of("a", "b")).get("c"))
                .isEqualTo(new String[] {"a", "b"});
        assertThat(one(ColumnType.FLOAT, 2, "nan", Arrays.asList(1, null)).get("c"))
                .isEqualTo(new float[] {1, Float.NaN});
        assertThat(one(ColumnType.FLOAT, 2, "nan", null).get("c"))
                .isEqualTo(new float[] {Float.NaN, Float.NaN});
        assertThat(one(ColumnType.FLOAT, 2, null, List.of(1)).problem())
                .isEqualTo("c has 1 values; the model takes the type float[2]");
        assertThat(one(ColumnType.FLOAT, 2, null, 1).problem())
                .isEqualTo("c has one value; the model takes the type float[2]");
        assertThat(one(ColumnType.FLOAT, 2, null, Arrays.asList(1, null)).problem())
                .isEqualTo("c[1] is missing");
    }

    /** [batch] and [batch, 1] both mean one value. */
    @Test
    void aValueAloneIsAVectorOfOne() {
        assertThat(one(ColumnType.FLOAT, 1, null, 2).get("c")).isEqualTo(new float[] {2});
        assertThat(one(ColumnType.STRING, 1, null, "a").get("c")).isEqualTo(new String[] {"a"});
        assertThat(one(ColumnType.FLOAT, 1, "nan", null).get("c"))
                .isEqualTo(new float[] {Float.NaN});
        assertThat(one(ColumnType.INT32, 1, null, "a").problem())
                .isEqualTo("c[0] is a, a text; the model takes the type int32");
        assertThat(one(ColumnType.FLOAT, 1, null, List.of(1, 2)).problem())
                .isEqualTo("c has 2 values; the model takes the type float[1]");
    }

    @Test
    void onlyFloatsAreTheVectorOfAnEncoder() {
        InputSpec vector = new InputSpec("x", ColumnType.FLOAT, 2);
        InputSpec texts = new InputSpec("words", ColumnType.STRING, 2);
        InputSpec ofRule = new InputSpec("segment", ColumnType.STRING, null, "none", null);

        assertThat(new InputLayout(List.of(vector), List.of()).numbersAreVector()).isTrue();
        assertThat(new InputLayout(List.of(vector, ofRule), List.of()).numbersAreVector()).isTrue();
        assertThat(new InputLayout(List.of(texts), List.of()).numbersAreVector()).isFalse();
        assertThat(new InputLayout(List.of(vector, texts), List.of()).numbersAreVector()).isFalse();
    }

    @Test
    void theFirstProblemOfARowIsKeptAndTheNextRowIsClean() {
        InputLayout inputs =
                new InputLayout(
                        List.of(
                                new InputSpec("a", ColumnType.FLOAT, null),
                                new InputSpec("b", ColumnType.STRING, null)),
                        List.of());
        TypedValuesBuilder builder = new TypedValuesBuilder(inputs);

        TypedValues bad = builder.set("a", "x").set("z", 1).set("b", 2).build();
        TypedValues good = builder.set("b", "y").set("a", 1).build();

        assertThat(bad.problem()).isEqualTo("a is x, a text; the model takes the type float");
        assertThat(good.problem()).isNull();
        assertThat(good.toMap()).containsExactly(Map.entry("a", 1f), Map.entry("b", "y"));
        assertThat(builder.set("a", 1).build().problem()).isEqualTo("b is missing");
        assertThat(builder.set("a", 1).set("b", "").set("z", 1).build().problem())
                .isEqualTo("z is not an input of the model; its inputs are a float, b string");
    }

    @Test
    void aRowOfABlockIsWhatWasPutThere() {
        InputLayout inputs =
                new InputLayout(
                        List.of(
                                new InputSpec("flag", ColumnType.BOOL, null),
                                new InputSpec("text", ColumnType.STRING, 2),
                                new InputSpec("id", ColumnType.INT64, null),
                                new InputSpec("x", ColumnType.DOUBLE, 2)),
                        List.of("id", "flag"));
        TypedValues row =
                new TypedValuesBuilder(inputs)
                        .set("flag", true)
                        .set("text", List.of("p", "q"))
                        .set("id", -5)
                        .set("x", new double[] {1, 2})
                        .build();
        byte[] numbers = new byte[3 * inputs.words() * 4];
        String[] strings = new String[3 * inputs.strings()];

        inputs.put(row, numbers, strings, 1);

        assertThat(inputs.row(numbers, strings, 1)).isEqualTo(row);
        assertThat(strings[inputs.strings() + inputs.keyOf("id")]).isEqualTo("-5");
        assertThat(strings[inputs.strings() + inputs.keyOf("flag")]).isEqualTo("true");
        assertThat(inputs.keyOf("x")).isNegative();
        assertThat(inputs.keyOf("text")).isNegative();
    }

    @Test
    void columnsNeedNamesOfTheirOwn() {
        InputSpec input = new InputSpec("a", ColumnType.FLOAT, null);
        assertThatThrownBy(() -> new InputLayout(List.of(input, input), List.of()))
                .hasMessage("a is the name of two columns; names must differ");
    }
}
