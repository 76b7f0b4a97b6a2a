// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The values of numbers are those that Java's own classes make of their texts. */
class JsonNumberTest {

    private final JsonCursor cursor = new JsonCursor();
    private final JsonNumber number = new JsonNumber(cursor);

    /** The nearest double is halfway between two floats, but the text is not. */
    @ParameterizedTest
    @CsvSource({
        "1.00000005960464478, 1.0000001",
        "1.00000005960464477, 1.0",
        "1.00000017881393432, 1.0000001",
        "1.00000017881393433, 1.0000002",
        "100000005960464478e-17, 1.0000001",
        "-1.00000005960464478, -1.0000001",
    })
    void floatsAreNotRoundedTwice(String text, float expected) throws Exception {
        read(text, "");

        assertThat(number.floatValue()).isEqualTo(expected).isEqualTo(Float.parseFloat(text));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "999999999999999999",
                "1000000000000000000",
                "9223372036854775806",
                "9223372036854775807",
                "9223372036854775808",
                "9223372036854775809",
                "9999999999999999999",
                "10000000000000000000",
                "18446744073709551615",
                "18446744073709551617",
            })
    void integersAreLongsIfTheyFit(String text) throws Exception {
        for (String signed : List.of(text, "-" + text)) {
            read(signed, ",");
            BigInteger expected = new BigInteger(signed);

            assertThat(number.isWhole()).isTrue();
            assertThat(number.isLong()).as(signed).isEqualTo(expected.bitLength() < Long.SIZE);
            if (number.isLong()) {
                assertThat(number.longValue()).isEqualTo(expected.longValueExact());
            }
            assertThat(number.bigInteger()).isEqualTo(expected);
        }
    }

    @Test
    void randomNumbersHaveTheValuesOfTheirTexts() throws Exception {
        Random random = new Random(7);
        String behind = ",]} \n/:xeE.\u0000\u0080\u00ff";
        for (int i = 0; i < 300_000; i++) {
            String text = random(random);
            StringBuilder rest = new StringBuilder();
            if (random.nextInt(4) > 0) {
                rest.append(behind.charAt(random.nextInt(8)));
                for (int j = random.nextInt(10); j > 0; j--) {
                    rest.append(behind.charAt(random.nextInt(behind.length())));
                }
            }
            read(text, rest.toString());
            boolean isExpected =
                    Float.compare(number.floatValue(), Float.parseFloat(text)) == 0
                            && Double.compare(number.doubleValue(), Double.parseDouble(text)) == 0
                            && number.decimal().compareTo(new BigDecimal(text)) == 0;
            assertThat(isExpected).as("%s and then %s", text, rest).isTrue();
        }
    }

    private static String random(Random random) {
        StringBuilder text = new StringBuilder(random.nextBoolean() ? "-" : "");
        int digits = 1 + random.nextInt(25);
        int point = random.nextInt(digits + 1);
        text.append(point == 0 ? "0" : 1 + random.nextInt(9));
        for (int i = 1; i < point; i++) {
            text.append(random.nextInt(10));
        }
        if (point < digits) {
            text.append('.');
            for (int i = Math.max(point, 1); i <= digits; i++) {
                text.append(random.nextInt(10));
            }
        }
        if (random.nextInt(3) == 0) {
            text.append(random.nextBoolean() ? 'e' : 'E');
            text.append(List.of("", "+", "-").get(random.nextInt(3)));
            text.append("0".repeat(random.nextInt(12))).append(random.nextInt(31));
        }
        return text.toString();
    }

    private void read(String text, String rest) throws JsonFault {
        cursor.begin((text + rest).getBytes(ISO_8859_1));
        number.read();
        assertThat(cursor.at()).isEqualTo(text.length());
    }
}
