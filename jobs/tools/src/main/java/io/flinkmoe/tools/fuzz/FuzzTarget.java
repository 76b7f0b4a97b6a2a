// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * A reader of untrusted bytes. An implementation has a constructor without parameters, because a
 * separate JVM creates it.
 */
@Internal
public interface FuzzTarget {

    /**
     * Prepares the reader.
     *
     * @param dir an empty directory for the files of the reader
     * @return valid inputs, which are then changed
     */
    List<byte[]> open(Path dir) throws Exception;

    /** Reads a complete input. Throws one of the {@link #rejections()} if the input is invalid. */
    void read(byte[] input) throws Exception;

    /** The exceptions that the reader documents. Any other exception is a defect. */
    Set<Class<? extends Exception>> rejections();

    /** Whether inputs are protobuf messages, whose fields can be changed one by one. */
    default boolean isProtobuf() {
        return false;
    }

    /** The maximum of the heap bytes allocated for an input, including garbage. */
    default long allocationLimit(int inputLength) {
        return (1 << 20) + 256L * inputLength;
    }
}
