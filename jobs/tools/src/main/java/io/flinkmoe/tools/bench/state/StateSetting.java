// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.tools.bench.contenders.Shape;
import org.apache.flink.annotation.Internal;

/**
 * What is measured.
 *
 * @param tokens T, the tokens of a window
 */
@Internal
record StateSetting(Shape shape, Backend backend, int tokens) {

    /** The longest checkpoint that is allowed while windows close, in milliseconds. */
    static final double MAX_CHECKPOINT_MILLIS = 1000;

    /** The largest allowed ratio of an incremental checkpoint to what has come in. */
    static final double MAX_INCREMENT = 1.5;

    private static final double OVERHEAD = 1.3;
    private static final int BYTES_PER_CHOICE = 100;

    /** How many times the state of an open window may be in the heap: garbage and copies. */
    private static final double HEAP_PER_STATE = 2.5;

    private static final long OTHER_HEAP = 512L << 20;

    /**
     * The largest allowed size of an open window in a checkpoint: 1.3 · v · d · 4 + 100 · k bytes
     * per token and layer. v is 2 where the combine needs other vectors than the experts: with a
     * norm, with shared experts, or without the input as residual. Otherwise it is 1.
     */
    static double maxBytesPerToken(LayerSpec layer, int d) {
        boolean two =
                layer.norm() != null
                        || !layer.sharedExperts().isEmpty()
                        || layer.residual() != ResidualKind.INPUT;
        int k = layer.choices();
        return OVERHEAD * (two ? 2 : 1) * d * Float.BYTES + BYTES_PER_CHOICE * k;
    }

    /** The approximate heap that the measurement needs, in bytes. */
    long neededHeap() {
        long state = (long) tokens * (shape.d() * Float.BYTES + BYTES_PER_CHOICE * shape.k());
        return OTHER_HEAP + (backend.isOnHeap() ? (long) (HEAP_PER_STATE * state) : 0);
    }

    @Override
    public String toString() {
        return "%s, %s, %,d tokens".formatted(shape.name(), backend, tokens);
    }
}
