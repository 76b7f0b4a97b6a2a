// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.decode;

import org.apache.flink.annotation.Internal;

/**
 * Says in plain words why bytes are no JSON (RFC 8259), and at which byte, such as {@code a colon
 * is missing after a name, at byte 5}. It never quotes the record.
 */
@Internal
final class JsonFault extends Exception {

    static final String NO_NUMBER = "NaN and Infinity are no JSON";

    private static final long serialVersionUID = 1L;

    JsonFault(String what, int byteNumber) {
        super("%s, at byte %d".formatted(what, byteNumber), null, false, false);
    }
}
