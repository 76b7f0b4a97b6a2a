// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.apache.flink.annotation.Internal;

/**
 * Checks texts. Java replaces what is no Unicode by ? or U+FFFD, so that two different texts, such
 * as the names of two streams, would become one.
 */
@Internal
public final class Unicode {

    /** The result for bytes that are valid. */
    public static final int VALID = -1;

    private static final VarHandle WORDS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private static final long NOT_ASCII = 0x8080_8080_8080_8080L;

    private Unicode() {}

    /** The index of the first byte that is no UTF-8 (RFC 3629), or {@link #VALID}. */
    public static int firstFault(byte[] bytes) {
        int at = 0;
        while (at < bytes.length) {
            if (at + Long.BYTES <= bytes.length && ((long) WORDS.get(bytes, at) & NOT_ASCII) == 0) {
                at += Long.BYTES;
                continue;
            }
            int length = length(bytes, at);
            if (length == 0) {
                return at;
            }
            at += length;
        }
        return VALID;
    }

    /**
     * The number of bytes of the character that begins at a byte; 0 if none does. The second byte
     * says whether a shorter encoding exists, and whether it is a surrogate or above U+10FFFF.
     */
    private static int length(byte[] bytes, int at) {
        int first = bytes[at] & 0xff;
        if (first < 0x80) {
            return 1;
        } else if (first < 0xc2 || first > 0xf4) {
            return 0;
        }
        int length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        int low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        int high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        for (int i = 1; i < length; i++) {
            int next = at + i < bytes.length ? bytes[at + i] & 0xff : 0;
            if (next < (i == 1 ? low : 0x80) || next > (i == 1 ? high : 0xbf)) {
                return 0;
            }
        }
        return length;
    }

    /** Whether each surrogate of a text has its other half. */
    public static boolean isValid(String text) {
        for (int i = 0; i < text.length(); i++) {
            char unit = text.charAt(i);
            if (Character.isSurrogate(unit)) {
                boolean isPair =
                        Character.isHighSurrogate(unit)
                                && i + 1 < text.length()
                                && Character.isLowSurrogate(text.charAt(i + 1));
                if (!isPair) {
                    return false;
                }
                i++;
            }
        }
        return true;
    }
}
