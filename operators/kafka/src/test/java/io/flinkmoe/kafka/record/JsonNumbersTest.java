// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.column.TypedValuesBuilder;
import io.flinkmoe.kafka.TimestampRules;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Numbers in JSON are the same values as those of their decimals. */
class JsonNumbersTest {

    private static final int WIDTH = 4;

    private static final InputLayout INPUTS =
            new InputLayout(
                    List.of(
                            new InputSpec("v", ColumnType.FLOAT, WIDTH),
                            new InputSpec("f", ColumnType.FLOAT, null),
                            new InputSpec("d", ColumnType.DOUBLE, null),
                            new InputSpec("i", ColumnType.INT32, null),
                            new InputSpec("l", ColumnType.INT64, null)),
                    List.of());

    /** Halfway between two floats and a bit more; read as a double first, it rounds down. */
    private static final String DOUBLE_ROUNDING = "1.00000005960464477540";

    @ParameterizedTest
    @ValueSource(
            strings = {
                DOUBLE_ROUNDING,
                "1.00000005960464477539",
                "3.4028235e38",
                "3.4028236e38",
                "1e39",
                "-1e39",
                "1.4e-45",
                "7.0064923216240853546186479164495e-46",
                "7.0e-46",
                "1e-400",
                "0.1",
                "-0.0",
                "-0",
                "0",
                "1e2",
                "100.0",
                "123456789.5",
                "16777216",
                "16777217",
                "-16777217",
                "16777217.0",
                "2147483648",
                "9007199254740993",
                "9223372036854775807",
                "9223372036854775808",
                "1e19",
                "18446744073709551616",
                "340282366920938463463374607431768211456",
                "1e400",
            })
    void haveTheValueOfTheirText(String number) throws Exception {
        assertThat(read(number)).isEqualTo(expected(number));
    }

    @Test
    void haveTheValueOfTheirTextAlsoAtRandom() throws Exception {
        Random random = new Random(3);
        for (int i = 0; i < 500; i++) {
            String number =
                    switch (i % 5) {
                        case 0 -> String.valueOf(Float.intBitsToFloat(random.nextInt()));
                        case 1 -> String.valueOf(random.nextGaussian());
                        case 2 -> String.valueOf(random.nextInt());
                        case 3 -> random.nextLong() + "." + Math.abs(random.nextLong());
                        default -> halfway(random);
                    };
            if (!number.contains("N") && !number.contains("I")) {
                assertThat(read(number)).as(number).isEqualTo(expected(number));
            }
        }
    }

    /** The exact decimal between two floats, and once more beside it. */
    private static String halfway(Random random) {
        float low = random.nextFloat();
        BigDecimal middle =
                new BigDecimal(low)
                        .add(new BigDecimal(Math.nextUp(low)))
                        .divide(BigDecimal.valueOf(2));
        return middle.toPlainString() + (random.nextBoolean() ? "" : "01");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[1, 2.5, 3]",
                "[1, 2.5, 3, 4, 5]",
                "[]",
                "[1, null, 3, 4]",
                "[1, 2, \"x\", 4]",
                "[1, 2, 16777217, 4]",
                "[1, 2, 99999999999, 4]",
                "[true, 2, 3, 4]",
            })
    void vectorsHaveTheProblemsOfTheirElements(String vector) throws Exception {
        List<Object> values = new ArrayList<>();
        for (String element : vector.substring(1, vector.length() - 1).split(", ")) {
            if (!element.isEmpty()) {
                values.add(plain(element));
            }
        }
        TypedValues expected = others(new TypedValuesBuilder(INPUTS).set(0, values), "1");

        assertThat(read(vector, "1")).isEqualTo(String.valueOf(expected.problem()));
    }

    @Test
    void aSingleValueIsNoVector() throws Exception {
        assertThat(read("7", "1")).isEqualTo("v has 1 values; the model takes the type float[4]");
    }

    @Test
    void anElementThatIsNoSingleValueIsNamed() throws Exception {
        for (String vector : List.of("[1, [2], 3, 4]", "[1, 2, 3, {\"a\": [1]}]", "[[[]]]")) {
            assertThat(read(vector, "1")).isEqualTo("v has an element that is no single value");
        }
    }

    @Test
    void ofANameThatIsThereTwiceTheLastCounts() throws Exception {
        InputLayout inputs =
                new InputLayout(
                        List.of(new InputSpec("x", ColumnType.FLOAT, null, null, "-1")), List.of());
        RecordBinding binding = RecordBinding.ofStream("key").feature("x", "a.b");
        String[][] records = {
            {"{\"a\": {\"b\": 1}, \"a\": {\"b\": 2}}", "2.0"},
            {"{\"a\": {\"b\": 1}, \"a\": {\"c\": 2}}", "-1.0"},
            {"{\"a\": {\"b\": 1}, \"a\": null}", "-1.0"},
            {"{\"a\": 3, \"a\": {\"b\": {}, \"b\": 4}}", "4.0"},
        };
        for (String[] record : records) {
            Arrival arrival =
                    RecordDeserializerTest.read(
                            RecordDeserializer.of(inputs, binding, RecordEncoding.json())
                                    .timestamps(TimestampRules.NONE),
                            record[0].getBytes(UTF_8),
                            new RecordHeaders());
            assertThat(arrival.token().inputs().get(0)).hasToString(record[1]);
        }
    }

    @Test
    void oneFieldMayHaveSeveralUses() throws Exception {
        InputLayout inputs =
                new InputLayout(
                        List.of(
                                new InputSpec("a", ColumnType.FLOAT, 2),
                                new InputSpec("b", ColumnType.DOUBLE, 2)),
                        List.of());
        RecordBinding binding =
                RecordBinding.ofStream("n").timestamp("n").feature("a", "v").feature("b", "v");

        Arrival arrival =
                RecordDeserializerTest.read(
                        RecordDeserializer.of(inputs, binding, RecordEncoding.json())
                                .timestamps(TimestampRules.NONE),
                        "{\"n\": 5, \"v\": [0.1, 16777216]}".getBytes(UTF_8),
                        new RecordHeaders());

        assertThat(arrival.token().stream()).isEqualTo("5");
        assertThat(arrival.token().timestamp()).isEqualTo(5);
        assertThat(arrival.token().inputs().get("a")).isEqualTo(new float[] {0.1f, 16777216});
        assertThat(arrival.token().inputs().get("b")).isEqualTo(new double[] {0.1, 16777216});
    }

    private static Object plain(String element) {
        return switch (element.charAt(0)) {
            case 'n' -> null;
            case 't' -> true;
            case '"' -> element.substring(1, element.length() - 1);
            default -> number(element);
        };
    }

    private static Number number(String text) {
        boolean isWhole = text.chars().allMatch(c -> c == '-' || Character.isDigit(c));
        if (!isWhole) {
            // A decimal has no -0.
            return new BigDecimal(text).signum() == 0 ? Double.valueOf(text) : new BigDecimal(text);
        }
        BigInteger whole = new BigInteger(text);
        return whole.bitLength() < Long.SIZE ? (Number) whole.longValue() : whole;
    }

    private static String read(String number) throws Exception {
        return read("[0, %s, 0.5, %s]".formatted(number, number), number);
    }

    private static String read(String vector, String number) throws Exception {
        String record =
                "{\"v\": %s, \"f\": %s, \"d\": %s, \"i\": %s, \"l\": %s}"
                        .formatted(vector, number, number, number, number);
        Arrival arrival =
                RecordDeserializerTest.read(
                        RecordDeserializer.of(
                                        INPUTS,
                                        RecordBinding.ofStream("key"),
                                        RecordEncoding.json())
                                .timestamps(TimestampRules.NONE),
                        record.getBytes(UTF_8),
                        new RecordHeaders());
        return arrival.token() == null
                ? arrival.deadLetter().reason()
                : arrival.token().inputs().toString();
    }

    /** What the exact decimals make of the columns. */
    private static String expected(String text) {
        List<Object> vector = new ArrayList<>(List.of(0, number(text), 0.5, number(text)));
        TypedValues values = others(new TypedValuesBuilder(INPUTS).set(0, vector), text);
        return values.problem() == null ? values.toString() : values.problem();
    }

    private static TypedValues others(TypedValuesBuilder builder, String number) {
        for (int column = 1; column < INPUTS.inputs().size(); column++) {
            builder.set(column, number(number));
        }
        return builder.build();
    }
}
