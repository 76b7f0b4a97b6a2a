// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.io.NumberOutput;
import java.util.Random;
import org.junit.jupiter.api.Test;

/**
 * Jackson's text of a float is the oracle: the shortest one, as Java writes it since version 19.
 */
class FloatTextTest {

    @Test
    void writesFloatsOfAllSizesAsJacksonDoes() {
        for (int exponent = 0; exponent < 255; exponent++) {
            for (int fraction : new int[] {0, 1, 2, 3, 0x2aaaaa, 0x400000, 0x7ffffe, 0x7fffff}) {
                check(Float.intBitsToFloat(exponent << 23 | fraction));
            }
        }
    }

    @Test
    void writesAllSmallestFloatsAsJacksonDoes() {
        for (int bits = 0; bits < 10_000; bits++) {
            check(Float.intBitsToFloat(bits));
        }
    }

    @Test
    void writesIntegersAndPowersOfTenAsJacksonDoes() {
        for (int number = 0; number < 100_000; number++) {
            check(number);
            check(number / 1000f);
        }
        for (int power = -45; power <= 38; power++) {
            check(Float.parseFloat("1e" + power));
            check(Float.parseFloat("9.999999e" + Math.min(power, 37)));
        }
    }

    @Test
    void writesRandomFloatsAsJacksonDoes() {
        Random random = new Random(1);
        for (int i = 0; i < 2_000_000; i++) {
            float any = Float.intBitsToFloat(random.nextInt());
            if (Float.isFinite(any)) {
                check(any);
            }
            check((float) random.nextGaussian());
            check(Math.scalb(1 + random.nextFloat(), random.nextInt(36) - 12));
        }
    }

    private static void check(float value) {
        checkText(value);
        checkText(-value);
    }

    /** The array ends where the room does. */
    private static void checkText(float value) {
        byte[] bytes = new byte[1 + FloatText.MAX_BYTES];
        int end = FloatText.write(value, bytes, 1);
        String text = new String(bytes, 1, end - 1, US_ASCII);
        String expected = NumberOutput.toString(value, true);
        if (!text.equals(expected)) { // AssertJ is slow.
            assertThat(text).isEqualTo(expected);
        }
    }
}
