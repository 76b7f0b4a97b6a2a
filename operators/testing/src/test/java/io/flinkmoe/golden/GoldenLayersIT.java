// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.config.PlacementOptions.Placement;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The golden cases whose choices depend on the token alone, through {@link MoeLayers} at
 * parallelism 2. Those that depend on the batch (capacity, Expert Choice, balanced assignment, the
 * Sinkhorn plan) or have no experts of their own (attention, losses, bias update) are left to other
 * tests.
 */
class GoldenLayersIT {

    private static final int PARALLELISM = 2;

    @RegisterExtension
    private static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(PARALLELISM)
                            .build());

    @TempDir private Path directory;

    static List<GoldenCase> droplessCases() throws IOException {
        List<GoldenCase> cases = new ArrayList<>();
        for (GoldenCase golden : GoldenCases.in(GoldenCases.folder())) {
            boolean ofTokens =
                    golden.hasTensor("x")
                            && !GoldenLevels.appliesTo(golden)
                            && !golden.system().endsWith("_attention")
                            && !CapacityRule.appliesTo(golden)
                            && !AssignmentRule.appliesTo(golden);
            if (ofTokens) {
                cases.add(golden);
            }
        }
        return cases;
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("droplessCases")
    void answersAsThePublishedCodeInAStream(GoldenCase golden) throws Exception {
        check(golden, Placement.PARTITIONED);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("droplessCases")
    void answersAsThePublishedCodeInOneOperator(GoldenCase golden) throws Exception {
        check(golden, Placement.REPLICATED);
    }

    private void check(GoldenCase golden, Placement placement) throws Exception {
        RoutingConfig routing = GoldenRouting.of(golden);
        GoldenBundle layer =
                golden.hasTensor("noise.normal")
                        ? new GoldenBundle(golden).withNoiseInTheToken()
                        : new GoldenBundle(golden);
        Bundle bundle = layer.write(directory.resolve("bundle"), routing);
        int n = routing.numExperts();
        int k = routing.numExpertsPerTok();
        int tokens = golden.integer("tokens");
        int[] ids = new int[tokens * k];
        float[] weights = new float[tokens * k];
        float[] out = new float[tokens * golden.integer("d_model")];
        int[] executed = new int[n];

        List<ScoredToken> scored = score(bundle, placement, layer.tokens(), tokens);

        assertThat(scored).hasSize(tokens);
        for (ScoredToken token : scored) {
            int row = (int) token.position();
            System.arraycopy(token.layers()[0].experts(), 0, ids, row * k, k);
            System.arraycopy(token.layers()[0].weights(), 0, weights, row * k, k);
            System.arraycopy(
                    token.values(), 0, out, row * token.values().length, token.values().length);
            for (int expert : token.layers()[0].experts()) {
                executed[expert]++;
            }
        }
        golden.assertIds("topk_ids", ids, weights);
        golden.assertWeights(weights);
        golden.assertTokensPerExpert(executed);
        golden.assertOut(out);
    }

    private static List<ScoredToken> score(
            Bundle bundle, Placement placement, float[] x, int tokens) throws Exception {
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, bundle.directory().toString());
        options.set(MoeOptions.BATCH_SIZE, 5);
        options.set(PlacementOptions.PLACEMENT, placement);
        options.set(PipelineOptions.GENERIC_TYPES, false);
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.configure(options);
        env.setParallelism(PARALLELISM);
        int width = x.length / tokens;
        List<Token> rows = new ArrayList<>();
        for (int row = 0; row < tokens; row++) {
            rows.add(
                    new Token(
                            "stream-" + row % 7,
                            row,
                            row,
                            Arrays.copyOfRange(x, row * width, (row + 1) * width)));
        }
        return MoeLayers.builder(options)
                .build()
                .score(env.fromData(rows, Token.TYPE).rebalance())
                .scored()
                .executeAndCollect(tokens + 1);
    }
}
