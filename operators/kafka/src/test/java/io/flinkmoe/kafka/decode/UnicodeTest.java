// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CoderResult;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class UnicodeTest {

    @ParameterizedTest
    @CsvSource({
        "'', -1",
        "61, -1",
        "6162636465666768c3a4, -1",
        "6162636465666768c3, 8",
        "61626364656667c36162, 7",
        "80, 0",
        "c0b1, 0",
        "c1bf, 0",
        "e09fbf, 0",
        "eda080, 0",
        "f08fbfbf, 0",
        "f4908080, 0",
        "f5808080, 0",
        "61ff, 1",
        "efbbbf61, -1",
        "f48fbfbf, -1",
        "ed9fbf, -1",
        "ee8080, -1",
    })
    void findsTheFirstByteThatIsNoUtf8(String hex, int fault) {
        assertThat(Unicode.firstFault(HexFormat.of().parseHex(hex))).isEqualTo(fault);
    }

    /** Java's decoder is the oracle. */
    @Test
    void findsTheFirstFaultThatJavaFinds() {
        Random random = new Random(7);
        String texts = "aäß€\ud83d\ude00\uffff\ufffd";
        for (int i = 0; i < 50_000; i++) {
            StringBuilder text = new StringBuilder();
            for (int n = random.nextInt(12); n > 0; n--) {
                text.appendCodePoint(texts.codePointAt(random.nextInt(texts.length() - 3)));
            }
            byte[] bytes = text.toString().getBytes(UTF_8);
            for (int flips = random.nextInt(3); flips > 0 && bytes.length > 0; flips--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            }
            assertThat(Unicode.firstFault(bytes))
                    .as(HexFormat.of().formatHex(bytes))
                    .isEqualTo(java(bytes));
        }
    }

    private static int java(byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        CoderResult result =
                UTF_8.newDecoder().decode(in, CharBuffer.allocate(bytes.length + 1), true);
        return result.isError() ? in.position() : Unicode.VALID;
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "a",
                "ä",
                "\ud83d\ude00",
                "a\ud83d",
                "\ude00",
                "\ude00\ud83d",
                "\ud83da"
            })
    void aTextIsValidIfItCanBeWrittenInUtf8(String text) {
        boolean canBe = true;
        try {
            UTF_8.newEncoder().encode(CharBuffer.wrap(text));
        } catch (CharacterCodingException e) {
            canBe = false;
        }
        assertThat(Unicode.isValid(text)).isEqualTo(canBe);
    }
}
