// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.IOException;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonScannerTest {

    private static final StreamReadConstraints LIMITS = StreamReadConstraints.defaults();

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "geheim | { is missing, at byte 0",
                "[1] | { is missing, at byte 0",
                "{ | it ends within an object, at byte 1",
                "{a: 1} | a name in double quotes is missing, at byte 1",
                "{\"a\": 1,} | a name in double quotes is missing, at byte 8",
                "{'a': 1} | a name in double quotes is missing, at byte 1",
                "{\"a\" 1} | a colon is missing after a name, at byte 5",
                "{\"a\" | it ends within an object, at byte 4",
                "{\"a\": geheim} | a value is missing, at byte 6",
                "{\"a\":} | a value is missing, at byte 5",
                "{\"a\": | it ends within an object, at byte 5",
                "{\"a\": nul} | a value is missing, at byte 6",
                "{\"a\": NaN} | NaN and Infinity are no JSON, at byte 6",
                "{\"a\": [1, -Infinity]} | NaN and Infinity are no JSON, at byte 11",
                "{\"a\": 1 \"b\": 2} | a comma or } is missing after a value, at byte 8",
                "{\"a\": 1] | a comma or } is missing after a value, at byte 7",
                "{\"a\": truex} | a comma or } is missing after a value, at byte 10",
                "{\"a\": [1 2]} | a comma or ] is missing after a value, at byte 9",
                "{\"a\": [1,]} | a value is missing, at byte 9",
                "{\"a\": [1 | it ends within an array, at byte 8",
                "{\"a\": /* */ 1} | a value is missing, at byte 6",
                "{\"a\": 01} | a number begins with a needless 0, at byte 6",
                "{\"a\": +1} | a value is missing, at byte 6",
                "{\"a\": -} | a number lacks a digit, at byte 7",
                "{\"a\": 1.} | a number lacks a digit, at byte 8",
                "{\"a\": 1e} | a number lacks a digit, at byte 8",
                "{\"a\": .5} | a value is missing, at byte 6",
                "{\"a\": 1 | it ends within an object, at byte 7",
                "{\"a\": 1. | it ends within a number, at byte 8",
                "{\"a\": \"ä | it ends within a text, at byte 9",
                "{\"a | it ends within a name, at byte 3",
                "{\"a\": \"\\x\"} | a text has an unknown escape, at byte 7",
                "{\"a\\ | it ends within a name, at byte 4",
                "{\"a\": \"\\u12g4\"} | \\u is not followed by four hexadecimal digits, at byte 11",
                "{\"ä\": \"\t\"} | a text has a control character, at byte 8",
                "{} } | something follows the object, at byte 3",
                "{\"a\": 1}x | something follows the object, at byte 8",
            })
    void saysWhatIsWrongAndWhere(String text, String fault) throws IOException {
        assertThat(parses(text.getBytes(UTF_8))).isFalse();
        assertThat(find(text)).hasValue(fault);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                " { } ",
                "\ufeff{}",
                "{\"\": [], \"a\": {\"b\": [[], {}, -0, 0.5e-7, 1E+2]}}",
                "{\"a\": \"\\ud800\\\\\\\"\\/\\b\\f\\n\\r\\t\\u00E4ä€\ud83d\ude00\", \"b\": null}",
                "{\"a\":true,\"a\":false}",
            })
    void findsNothingInJson(String text) throws IOException {
        assertThat(parses(text.getBytes(UTF_8))).isTrue();
        assertThat(find(text)).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "9, 1000",
        "9, 1001",
        "-9, 1000",
        "-9, 1001",
        "0.5, 1000",
        "0.5, 1001",
        "1e0, 1000",
        "1E-0, 1000",
        "1E+0, 1001"
    })
    void aNumberHasALimitOfDigits(String head, int digits) throws IOException {
        long has = head.chars().filter(Character::isDigit).count();
        String number = head + "7".repeat(digits - (int) has);
        String text = "{\"n\": [1, " + number + "]}";

        assertThat(parses(text.getBytes(UTF_8))).isEqualTo(digits == 1000);
        assertThat(find(text))
                .isEqualTo(
                        digits == 1000
                                ? Optional.empty()
                                : Optional.of(
                                        "a number has 1,001 digits; allowed: up to 1,000, at byte 10"));
    }

    @Test
    void nestingNamesAndTextsHaveLimits() throws IOException {
        int depth = LIMITS.getMaxNestingDepth();
        String deep = "{\"a\":" + "[".repeat(depth - 1) + "]".repeat(depth - 1) + "}";
        assertThat(find(deep)).isEmpty();
        assertThat(parses(deep.getBytes(UTF_8))).isTrue();
        String deeper = "{\"a\":" + "[".repeat(depth) + "]".repeat(depth) + "}";
        assertThat(find(deeper))
                .hasValue(
                        "objects and arrays are nested deeper than 1,000, which is the limit, at byte 1004");
        assertThat(parses(deeper.getBytes(UTF_8))).isFalse();
        String name = "{\"" + "n".repeat(LIMITS.getMaxNameLength() + 1) + "\": 1}";
        assertThat(find(name))
                .hasValue("a name has more than 50,000 characters, which is the limit, at byte 1");
        assertThat(parses(name.getBytes(UTF_8))).isFalse();
        String wide = "{\"" + "ä\\n".repeat(LIMITS.getMaxNameLength() / 2) + "\": 1}";
        assertThat(find(wide)).isEmpty();
    }

    /** The parser is the oracle. */
    @Test
    void findsAFaultWhereverTheParserDoes() throws IOException {
        Random random = new Random(11);
        String good =
                "{\"a\": [1, -2.5e3, {\"b\\n\": \"\\u00e4ä€\"}, []], \"c\": {}, \"d\": [true, false, null]}";
        String characters = "{}[]\",:\\/0123456789-+.eEtrufalsn \n\u0001xN'*ä";
        int faults = 0;
        for (int i = 0; i < 100_000; i++) {
            StringBuilder text = new StringBuilder(good);
            for (int edits = 1 + random.nextInt(3); edits > 0; edits--) {
                if (text.length() < 2) {
                    break;
                }
                int at = random.nextInt(text.length());
                char character = characters.charAt(random.nextInt(characters.length()));
                switch (random.nextInt(4)) {
                    case 0 -> text.setCharAt(at, character);
                    case 1 -> text.insert(at, character);
                    case 2 -> text.deleteCharAt(at);
                    default -> text.setLength(Math.max(1, at));
                }
            }
            Optional<String> fault = find(text.toString());
            assertThat(fault.isPresent())
                    .as("%s: %s", text, fault)
                    .isEqualTo(!parses(text.toString().getBytes(UTF_8)));
            faults += fault.isPresent() ? 1 : 0;
        }
        assertThat(faults).isBetween(20_000, 99_000);
    }

    /** Reads a record whose values nobody wants. */
    private static Optional<String> find(String text) {
        JsonScanner scanner = new JsonScanner();
        try {
            scanner.begin(text.getBytes(UTF_8));
            scanner.skipValue();
            scanner.end();
            return Optional.empty();
        } catch (JsonFault e) {
            return Optional.of(e.getMessage());
        }
    }

    private static boolean parses(byte[] bytes) throws IOException {
        try (JsonParser parser = new JsonFactory().createParser(bytes)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                return false;
            }
            for (int depth = 1; depth > 0; ) {
                JsonToken token = parser.nextToken();
                if (token == null) {
                    return false;
                }
                parser.finishToken();
                depth += token.isStructStart() ? 1 : token.isStructEnd() ? -1 : 0;
            }
            return parser.nextToken() == null;
        } catch (JsonProcessingException e) {
            return false;
        }
    }
}
