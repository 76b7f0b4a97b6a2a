// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import io.flinkmoe.capacity.Windows;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.shared.WatermarkState;
import org.apache.flink.annotation.Internal;

/** Marks late tokens. The router uses {@link #NEVER_LATE} or {@link ByWatermark}. */
@Internal
interface LatenessFilter {

    /** Without a capacity there are no windows, so no token is late. */
    LatenessFilter NEVER_LATE = tokens -> tokens;

    /** Returns the same tokens; those whose window is closed are marked late. */
    TokenBlock markLate(TokenBlock tokens);

    /**
     * A token is late if ingest marked it, or if the lane's watermark has passed the end of its
     * window.
     */
    record ByWatermark(Windows windows, WatermarkState watermark) implements LatenessFilter {
        @Override
        public TokenBlock markLate(TokenBlock tokens) {
            long now = watermark.of(tokens.lane());
            boolean[] late = new boolean[tokens.rows()];
            boolean any = false;
            for (int row = 0; row < late.length; row++) {
                late[row] = tokens.isLate(row) || windows.isClosed(tokens.timestamps()[row], now);
                any |= late[row];
            }
            return tokens.withLate(any ? late : TokenBlock.NONE_LATE);
        }
    }
}
