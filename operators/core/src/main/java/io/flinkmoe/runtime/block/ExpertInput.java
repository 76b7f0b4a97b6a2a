// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.block;

import org.apache.flink.annotation.Internal;

/**
 * A record that an expert receives from a router or from the previous round of admission: rows (a
 * {@code DispatchBlock}), the number of tokens in a window (a {@code WindowTokens}), or the
 * capacity that the previous round left (a {@code RemainingCapacity}).
 */
@Internal
public interface ExpertInput {

    /** The expert that receives the record, counted from 0. */
    int expert();
}
