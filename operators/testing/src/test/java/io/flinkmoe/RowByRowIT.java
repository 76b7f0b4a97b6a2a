// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.onnx.check.ModelCheck;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.testing.ShuffledPartitions;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Experts whose last bits depend on the batch get the same bits in every batch, row by row. */
class RowByRowIT {

    private static final int D = 4;
    private static final int INNER = 7;
    private static final int TOKENS = 600;

    @TempDir private Path folder;

    @ParameterizedTest
    @EnumSource(names = {"PARTITIONED", "REPLICATED"})
    void everyTokenHasTheBitsOfARowAlone(PlacementOptions.Placement placement) throws Exception {
        TinyBundle tiny =
                TinyBundle.builder()
                        .hiddenSize(D)
                        .experts((expert, width) -> bent(expert))
                        .writeTo(folder.resolve("bundle"));
        Bundle bundle = tiny.bundle();
        Set<String> inexact = ModelCheck.openUnrecorded(bundle, false);
        assertThat(inexact).allMatch(file -> file.contains("experts/")).isNotEmpty();
        float[] x = gaussian(TOKENS * D, 1);
        Configuration options = new Configuration();
        options.addAll(tiny.options());
        options.set(MoeOptions.BATCH_SIZE, 16);
        options.set(PlacementOptions.PLACEMENT, placement);
        options.set(PlacementOptions.ROW_BY_ROW, true);
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(2, options);

        List<ScoredToken> scored =
                MoeLayers.builder(options)
                        .build()
                        .score(ShuffledPartitions.of(env, tokens(x), 2, 5))
                        .scored()
                        .executeAndCollect(TOKENS + 1);

        assertThat(scored).hasSize(TOKENS);
        try (ReferenceModel model = ReferenceModel.open(bundle, new Dropless(), inexact)) {
            float[] expected = model.forward(x, TOKENS).out();
            for (ScoredToken token : scored) {
                int from = (int) token.position() * D;
                assertThat(token.values())
                        .as("token %d", token.position())
                        .containsExactly(Arrays.copyOfRange(expected, from, from + D));
            }
        }
    }

    /** ELU gets other last bits in other batches, at widths that are no multiple of 4. */
    private static byte[] bent(int expert) {
        return new OnnxGraph("bent")
                .input("x", D)
                .output("y", D)
                .linear("wide", "x", gaussian(INNER * D, 10 + expert), null, D, INNER)
                .node("Elu", "bent", List.of("wide"))
                .linear("y", "bent", gaussian(INNER * D, 20 + expert), null, INNER, D)
                .toBytes();
    }

    private static List<Token> tokens(float[] x) {
        List<Token> tokens = new ArrayList<>();
        for (int row = 0; row < TOKENS; row++) {
            float[] values = Arrays.copyOfRange(x, row * D, row * D + D);
            tokens.add(new Token("stream" + row % 7, row, row, values));
        }
        return tokens;
    }

    private static float[] gaussian(int count, long seed) {
        Random random = new Random(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
