// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import java.util.Arrays;
import org.apache.flink.annotation.Experimental;

/**
 * When and where T tokens come from: what their window and their order follow from.
 *
 * @param timestamps [T], event time, milliseconds since the epoch
 * @param streams [T]
 * @param positions [T], the place of each token in its stream
 */
@Experimental
public record TokenMetadata(long[] timestamps, String[] streams, long[] positions) {

    public TokenMetadata {
        if (streams.length != timestamps.length || positions.length != timestamps.length) {
            throw new IllegalArgumentException(
                    "there are %d timestamps, %d streams, %d positions; allowed: one of each per token"
                            .formatted(timestamps.length, streams.length, positions.length));
        }
    }

    /** T tokens of one stream and one window, in their order. */
    public static TokenMetadata ofRows(int tokens) {
        String[] streams = new String[tokens];
        Arrays.fill(streams, "");
        long[] positions = new long[tokens];
        Arrays.setAll(positions, row -> row);
        return new TokenMetadata(new long[tokens], streams, positions);
    }

    /** T. */
    public int tokens() {
        return timestamps.length;
    }

    /** Some tokens only. */
    public TokenMetadata select(int[] rows) {
        TokenMetadata selected =
                new TokenMetadata(
                        new long[rows.length], new String[rows.length], new long[rows.length]);
        for (int i = 0; i < rows.length; i++) {
            selected.timestamps[i] = timestamps[rows[i]];
            selected.streams[i] = streams[rows[i]];
            selected.positions[i] = positions[rows[i]];
        }
        return selected;
    }
}
