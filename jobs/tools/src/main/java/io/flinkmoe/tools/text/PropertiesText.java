// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.text;

import org.apache.flink.annotation.Internal;

/** Texts in properties files, which programs read as ISO 8859-1. */
@Internal
public final class PropertiesText {

    private PropertiesText() {}

    /** Escapes backslashes, and all characters outside ASCII. */
    public static String escape(String value) {
        StringBuilder escaped = new StringBuilder();
        for (char c : value.toCharArray()) {
            if (c == '\\') {
                escaped.append("\\\\");
            } else if (c < 128) {
                escaped.append(c);
            } else {
                escaped.append("\\u");
                for (int shift = 12; shift >= 0; shift -= 4) {
                    escaped.append(Character.forDigit(c >> shift & 0xf, 16));
                }
            }
        }
        return escaped.toString();
    }
}
