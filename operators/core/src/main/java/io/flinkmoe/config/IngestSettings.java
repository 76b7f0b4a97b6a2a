// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.config;

import io.flinkmoe.capacity.Windows;
import java.io.Serializable;
import java.time.Duration;
import org.apache.flink.annotation.Internal;

/**
 * How ingest collects tokens into blocks.
 *
 * @param lanes the number of lanes that streams are hashed to
 * @param blockRows the largest number of tokens in a block
 * @param pendingRows the largest number of tokens in all blocks that are not full yet
 * @param linger the longest time that a token waits for its block to fill
 * @param windows the windows in which capacity is counted
 * @param maxOutOfOrderness how far a token may be behind the newest token of its partition before
 *     it is late
 */
@Internal
public record IngestSettings(
        int lanes,
        int blockRows,
        int pendingRows,
        Duration linger,
        Windows windows,
        Duration maxOutOfOrderness)
        implements Serializable {}
