// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tensor;

import java.io.IOException;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A sequence of floats that is produced block by block each time it is asked for, so that it need
 * not fit into memory.
 */
@PublicEvolving
public interface FloatBlocks {

    /** Receives the blocks in order. */
    @FunctionalInterface
    interface Receiver {
        /**
         * Receives one block.
         *
         * @param block the first {@code count} values count; the array is used again for the next
         *     block
         */
        void receive(float[] block, int count) throws IOException;
    }

    /** The number of all floats. */
    long count();

    /** Produces all floats in order. */
    void forEachBlock(Receiver receiver) throws IOException;

    /** An array as one block. It is not copied. */
    static FloatBlocks of(float[] values) {
        return new FloatBlocks() {
            @Override
            public long count() {
                return values.length;
            }

            @Override
            public void forEachBlock(Receiver receiver) throws IOException {
                receiver.receive(values, values.length);
            }
        };
    }
}
