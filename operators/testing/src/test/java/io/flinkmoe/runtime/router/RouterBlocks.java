// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.tensor.Floats;
import org.apache.flink.configuration.Configuration;

/** What router tests send, to a model of four experts and as many lanes. */
final class RouterBlocks {

    static final int N = 4;
    static final int MAX_ROWS = 16;

    private RouterBlocks() {}

    static Configuration options(Bundle bundle) {
        return new Configuration()
                .set(MoeOptions.BUNDLE, bundle.directory().toString())
                .set(MoeOptions.LANES, 4)
                .set(MoeOptions.BATCH_SIZE, MAX_ROWS);
    }

    static float[] row() {
        return row(4);
    }

    static float[] row(float first) {
        return new float[] {first, 3, 2, 1};
    }

    static TokenBlock token(int lane) {
        return block(lane, new long[] {0}, row());
    }

    static TokenBlock block(int lane, long[] timestamps, float[]... rows) {
        float[] all = new float[rows.length * N];
        String[] streams = new String[rows.length];
        long[] positions = new long[rows.length];
        for (int row = 0; row < rows.length; row++) {
            System.arraycopy(rows[row], 0, all, row * N, N);
            streams[row] = "s";
            positions[row] = row;
        }
        return new TokenBlock(
                lane, streams, positions, timestamps, Floats.toBytes(all), new Choices[0]);
    }
}
