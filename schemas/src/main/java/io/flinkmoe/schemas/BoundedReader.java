// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.avro.io.BinaryDecoder;

/**
 * Reads texts and branches of unions from bytes that may be anything. It avoids {@link
 * BinaryDecoder#readString()}, which allocates before it checks the length. Not thread-safe.
 */
final class BoundedReader {

    /** What Java puts where bytes are no UTF-8. It is a character of its own, too. */
    private static final char REPLACEMENT = '\ufffd';

    private byte[] scratch = new byte[64];
    private int length;

    /**
     * Reads a text and keeps its bytes.
     *
     * @param limit the bytes of the message, which no text exceeds
     */
    void readBytes(BinaryDecoder in, int limit) throws IOException {
        long announced = in.readLong();
        if (announced < 0) {
            throw new IOException("its length is " + announced);
        }
        if (announced > limit) {
            throw new EOFException();
        }
        if (announced > scratch.length) {
            scratch = new byte[(int) announced];
        }
        length = (int) announced;
        in.readFixed(scratch, 0, length);
    }

    /** Whether the bytes that were read last are these. */
    boolean hasRead(byte[] bytes) {
        return Arrays.equals(bytes, 0, bytes.length, scratch, 0, length);
    }

    /** A copy of the bytes that were read last. */
    byte[] bytes() {
        return Arrays.copyOf(scratch, length);
    }

    /**
     * The text that was read last.
     *
     * @throws IOException if it is no UTF-8: replaced, two streams could become one
     */
    String text() throws IOException {
        String text = new String(scratch, 0, length, StandardCharsets.UTF_8);
        if (text.indexOf(REPLACEMENT) >= 0) {
            requireUtf8();
        }
        return text;
    }

    private void requireUtf8() throws IOException {
        try {
            StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(scratch, 0, length));
        } catch (CharacterCodingException e) {
            throw new IOException("it is no UTF-8", e);
        }
    }

    /** Reads a text. */
    String readText(BinaryDecoder in, int limit) throws IOException {
        readBytes(in, limit);
        return text();
    }

    /** Reads the branch of a union. */
    static int readBranch(BinaryDecoder in, int branches) throws IOException {
        int index = in.readIndex();
        if (index < 0 || index >= branches) {
            throw new IOException("its union has no branch " + index);
        }
        return index;
    }
}
