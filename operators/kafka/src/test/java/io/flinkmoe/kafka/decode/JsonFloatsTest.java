// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.kafka.decode.RecordReader.Part;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** What is read at once is the same as what is read value by value, faults included. */
class JsonFloatsTest {

    private static final int WIDTH = 6;
    private static final JsonFactory JACKSON = new JsonFactory();

    private final JsonReader reader = new JsonReader(Part.VALUE);
    private final RecordReader.Field field =
            reader.input(FieldPath.of("v"), new InputSpec("v", ColumnType.FLOAT, WIDTH), true);
    private final Random random = new Random(3);

    @Test
    void readsAllKindsOfNumbersAsJacksonDoes() throws Exception {
        int complete = 0;
        for (int i = 0; i < 100_000; i++) {
            String array = array(WIDTH - random.nextInt(20) / 19 + random.nextInt(20) / 19);
            List<Float> expected = floats(array);
            Object value = value(array);

            if (expected.size() == WIDTH) {
                assertThat(value).as(array).isInstanceOf(float[].class);
                assertThat(Arrays.toString((float[]) value))
                        .as(array)
                        .isEqualTo(expected.toString());
                complete++;
            } else {
                assertThat((List<?>) value).as(array).hasSize(expected.size());
            }
        }
        assertThat(complete).isGreaterThan(80_000);
    }

    @Test
    void findsTheSameFaultAsWithoutFloats() {
        String characters = "[],0123456789-+.eE \n\"";
        for (int i = 0; i < 100_000; i++) {
            StringBuilder array = new StringBuilder(array(WIDTH));
            char character = characters.charAt(random.nextInt(characters.length()));
            int at = random.nextInt(array.length());
            switch (random.nextInt(4)) {
                case 0 -> array.setCharAt(at, character);
                case 1 -> array.insert(at, character);
                case 2 -> array.deleteCharAt(at);
                default -> array.setLength(at);
            }
            assertThat(fault("v", array.toString()))
                    .as(array.toString())
                    .isEqualTo(fault("o", array.toString()));
        }
    }

    private Object value(String array) throws BadRecordException {
        return field.get(decode("v", array));
    }

    /** Returns null if there is none. */
    private String fault(String name, String array) {
        try {
            decode(name, array);
            return null;
        } catch (BadRecordException e) {
            return e.rejection().reason();
        }
    }

    private Object decode(String name, String array) throws BadRecordException {
        return reader.decode("{\"%s\":%s}".formatted(name, array).getBytes(UTF_8));
    }

    private static List<Float> floats(String array) throws IOException {
        List<Float> floats = new ArrayList<>();
        try (JsonParser parser = JACKSON.createParser(array)) {
            parser.nextToken();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                floats.add(Float.parseFloat(parser.getText()));
            }
        }
        return floats;
    }

    private String array(int length) {
        String[] separators = {",", ", ", ",  ", " ,", ",\n", " , "};
        boolean isUsual = random.nextBoolean();
        StringBuilder array = new StringBuilder("[");
        for (int i = 0; i < length; i++) {
            array.append(i == 0 ? "" : separators[random.nextInt(isUsual ? 2 : separators.length)]);
            array.append(number());
        }
        return array.append(']').toString();
    }

    private String number() {
        String minus = random.nextBoolean() ? "-" : "";
        return switch (random.nextInt(16)) {
            case 0 -> minus + random.nextInt(1 << 24);
            case 1 -> minus + "0.00" + digits(12);
            case 2 -> minus + random.nextFloat();
            case 3 -> minus + random.nextInt(1000) + "." + digits(30);
            case 4 -> minus + random.nextInt(10) + ".5E" + (random.nextInt(60) - 30);
            // Next to the middle between two floats.
            case 5 -> minus + "1.000000059604644" + (random.nextInt(1000) + 9_000);
            case 6 -> minus + random.nextInt(Integer.MAX_VALUE) + "." + digits(10);
            default -> Float.toString((float) random.nextGaussian());
        };
    }

    private String digits(int most) {
        StringBuilder digits = new StringBuilder();
        for (int i = random.nextInt(most); i >= 0; i--) {
            digits.append(random.nextInt(10));
        }
        return digits.toString();
    }
}
