// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.ExpertModel;
import io.flinkmoe.onnx.OnnxModel;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.tensor.Floats;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The contenders compute the same layer: else their speeds could not be compared. */
class ContendersTest {

    private static final int TOKENS = 50;
    private static final Shape SHAPE = new Shape("small", 16, 32, 4, 2);
    private static final float[][] POOL = Pool.of(SHAPE.d(), 0);

    @TempDir private static Path folder;

    private static Bundle bundle;
    private static float[] expected;

    @BeforeAll
    static void askTheReference() throws Exception {
        bundle = SHAPE.writeBundle(folder.resolve("bundle"));
        try (ReferenceModel reference = ReferenceModel.open(bundle)) {
            expected = reference.forward(tokens(), TOKENS).out();
        }
    }

    private static float[] tokens() {
        float[] x = new float[TOKENS * SHAPE.d()];
        for (int row = 0; row < TOKENS; row++) {
            System.arraycopy(POOL[row], 0, x, row * SHAPE.d(), SHAPE.d());
        }
        return x;
    }

    @Test
    void limitGivesTheBitsOfTheReference() throws Exception {
        try (BundleSessions sessions = new BundleSessions(bundle)) {
            List<ExpertModel> experts = new ArrayList<>();
            for (int expert = 0; expert < SHAPE.numExperts(); expert++) {
                experts.add(sessions.expert(0, expert));
            }
            LimitWorker worker = new LimitWorker(sessions, experts, POOL, TOKENS);
            assertThat(worker.forward(Floats.toBytes(tokens()))).isEqualTo(expected);
        }
    }

    @Test
    void perRecordGivesTheBitsOfTheReference() throws Exception {
        PerRecord map = new PerRecord(bundle);
        map.open(null);
        try {
            for (int row = 0; row < TOKENS; row++) {
                ScoredToken scored = map.map(new Token("s", row, 0, POOL[row]));
                assertThat(scored.values())
                        .isEqualTo(
                                Arrays.copyOfRange(
                                        expected, row * SHAPE.d(), (row + 1) * SHAPE.d()));
            }
        } finally {
            map.close();
        }
    }

    @Test
    void fusedIsTheSameLayerUpToRounding() throws Exception {
        Path file = folder.resolve("fused.onnx");
        SHAPE.writeFused(file);
        DirectRows input = new DirectRows(TOKENS, SHAPE.d());
        DirectRows output = new DirectRows(TOKENS, SHAPE.d());
        input.put(tokens(), 0, TOKENS);
        try (OnnxModel model = OnnxModel.open(file, SHAPE.d(), SHAPE.d())) {
            model.run(input, output, TOKENS);
        }
        float[] found = new float[expected.length];
        output.get(found, 0, TOKENS);
        assertThat(found).containsExactly(expected, within(1e-5f));
    }
}
