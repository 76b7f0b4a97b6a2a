package io.flinkmoe.tools.fuzz;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * A reader of bytes that strangers have made. An implementation has a constructor without
 * parameters: it is opened in a JVM of its own.
 */
@Internal
public interface FuzzTarget {

    /**
     * Prepares the reader.
     *
     * @param dir an empty directory for what the reader needs on disk
     * @return good inputs, which are then changed
     */
    List<byte[]> open(Path dir) throws Exception;

    /** Reads an input to its end; throws one of the {@link #refusals()} if it is no good. */
    void read(byte[] input) throws Exception;

    /** The exceptions that the reader's documentation names. Any other is a defect. */
    Set<Class<? extends Exception>> refusals();

    /** Whether inputs are protobuf messages, whose fields are worth changing one by one. */
    default boolean isProtobuf() {
        return false;
    }

    /** Bytes of heap that may be allocated for an input, garbage included. */
    default long allocationLimit(int inputLength) {
        return (1 << 20) + 256L * inputLength;
    }
}
