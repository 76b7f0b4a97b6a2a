// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.state;

import java.util.Locale;
import org.apache.flink.annotation.Internal;

/** The parts of the measurement. */
@Internal
enum Part {
    /** An open window: its state, its checkpoints, its restore and its close. */
    WINDOW,
    /** Windows that close under aligned checkpoints. */
    ALIGNED,
    /** Windows that close under unaligned checkpoints. */
    UNALIGNED;

    /** The name in options, tables and JSON. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
