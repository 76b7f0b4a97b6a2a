// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.serialization;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Random;
import java.util.Set;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.junit.jupiter.api.Test;

/** Arrays of strings, as names of streams. */
class WireStringsTest {

    @Test
    void comeBackWhateverTheirChars() throws Exception {
        String[] strings = {
            "",
            null,
            "stream-7",
            "\u0000\u007F",
            "\u0080\u07FF",
            "\u0800\uFFFF",
            "zażółć 東京 🛫",
            "\uD83D",
            "\uDEEB\uD83D",
            "x".repeat(127),
            "y".repeat(128),
            "ż".repeat(20_000)
        };
        assertThat(sent(strings)).containsExactly(strings);
        assertThat(sent(new String[0])).isEmpty();
    }

    @Test
    void comeBackIfTheyAreRandom() throws Exception {
        Random random = new Random(1);
        for (int run = 0; run < 2_000; run++) {
            String[] strings = new String[random.nextInt(6)];
            for (int i = 0; i < strings.length; i++) {
                char[] chars = new char[random.nextInt(300)];
                int bits = 1 + random.nextInt(16);
                for (int c = 0; c < chars.length; c++) {
                    chars[c] = (char) random.nextInt(1 << bits);
                }
                strings[i] = new String(chars);
            }
            assertThat(sent(strings)).containsExactly(strings);
        }
    }

    @Test
    void comeBackAsOneObjectIfTheyAreEqual() throws Exception {
        String[] strings = new String[256];
        for (int i = 0; i < strings.length; i++) {
            strings[i] = "card-" + i % 8;
        }

        Set<String> objects = Collections.newSetFromMap(new IdentityHashMap<>());
        Collections.addAll(objects, sent(strings));

        assertThat(objects).hasSize(8);
    }

    /** Many have the same length and the same last characters. */
    @Test
    void comeBackIfTheyAreSimilar() throws Exception {
        Random random = new Random(2);
        for (int run = 0; run < 500; run++) {
            String[] strings = new String[random.nextInt(300)];
            for (int i = 0; i < strings.length; i++) {
                String head = "ab".repeat(random.nextInt(3)) + (char) ('a' + random.nextInt(3));
                strings[i] = random.nextInt(9) == 0 ? null : head + random.nextInt(2);
            }
            assertThat(sent(strings)).containsExactly(strings);
        }
    }

    @Test
    void takeOneByteForEachAsciiCharAndTwoForTheirSizes() throws Exception {
        DataOutputSerializer out = new DataOutputSerializer(16);
        Wire.writeStrings(new String[] {"card-00000000001", "card-00000000002"}, out);
        assertThat(out.length())
                .isEqualTo(2 * Integer.BYTES + 2 * ("card-00000000001".length() + 2));
    }

    private static String[] sent(String[] strings) throws Exception {
        DataOutputSerializer out = new DataOutputSerializer(16);
        Wire.writeStrings(strings, out);
        DataInputDeserializer in = new DataInputDeserializer(out.getCopyOfBuffer());
        String[] read = Wire.readStrings(in);
        assertThat(in.available()).isZero();
        return read;
    }
}
