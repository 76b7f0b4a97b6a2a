// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.Origin;
import io.flinkmoe.api.RouterLogits;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.ShuffledPartitions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.CloseableIterator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Jobs over a bundle of two layers, whose logits are the token itself. */
@ParameterizedClass
@EnumSource(names = {"PARTITIONED", "REPLICATED"})
class SmallJobsIT {

    private static final int N = 5;
    private static final int K = 2;
    private static final int LAYERS = 2;
    private static final int TOKENS = 1_000;
    private static final int PARALLELISM = 2;

    @Parameter private PlacementOptions.Placement placement;

    @TempDir private Path directory;

    private final Configuration options = new Configuration();
    private final float[] x = gaussian(TOKENS * N);
    private ReferenceModel.Result expected;

    @BeforeEach
    void runReference() throws Exception {
        Bundle bundle = NumberedBundle.write(directory.resolve("bundle"), N, K, LAYERS);
        options.set(MoeOptions.BUNDLE, bundle.directory().toString());
        options.set(MoeOptions.BATCH_SIZE, 16);
        options.set(PlacementOptions.PLACEMENT, placement);
        options.set(PipelineOptions.GENERIC_TYPES, false);
        options.set(PipelineOptions.AUTO_GENERATE_UIDS, false);
        try (ReferenceModel model = ReferenceModel.open(bundle)) {
            expected = model.forward(x, TOKENS);
        }
    }

    @Test
    void answersAsTheReferenceDoesWithTheDecisionsOfEveryLayer() throws Exception {
        MoeLayers layers = MoeLayers.builder(options).build();
        List<ScoredToken> scored =
                layers.score(source(environment(), tokens()))
                        .scored()
                        .executeAndCollect(TOKENS + 1);

        checkScored(scored, layers.modelVersion(), TOKENS);
    }

    @Test
    void writesBadTokensAsDeadLettersAndScoresTheOthers() throws Exception {
        List<Token> tokens = new ArrayList<>(tokens());
        tokens.add(10, new Token("bad", -1, 10, new float[N - 1]));
        tokens.add(200, new Token("bad", -2, 20, new float[] {0, 0, Float.NaN, 0, 0}));
        tokens.add(500, new Token(null, -3, 30, new float[N]));
        tokens.add(new Token("bad", -4, 40, null));
        tokens.add(new Token("bad", -5, Long.MAX_VALUE, new float[N]));
        StreamExecutionEnvironment env = environment();
        MoeLayers layers = MoeLayers.builder(options).build();
        MoeResult result = layers.score(source(env, tokens));
        CloseableIterator<ScoredToken> scored = result.scored().collectAsync();
        CloseableIterator<DeadLetter> dead = result.deadLetters().collectAsync();
        env.executeAsync();

        checkScored(all(scored), layers.modelVersion(), TOKENS);
        List<DeadLetter> letters = all(dead);
        assertThat(letters)
                .extracting(DeadLetter::reason)
                .containsExactlyInAnyOrder(
                        "values has 4 entries; the model takes 5",
                        "values[2] is NaN; only finite values are allowed",
                        "stream is null",
                        "values is null",
                        "timestamp is 9223372036854775807; allowed: -2^61 to 2^61 ms");
        Set<Long> positions = new HashSet<>();
        for (DeadLetter letter : letters) {
            assertThat(letter.origin()).isEqualTo(new Origin("", -1, -1));
            positions.add(letter.token().position());
        }
        assertThat(positions).containsExactlyInAnyOrder(-1L, -2L, -3L, -4L, -5L);
    }

    @Test
    void givesTheRouterLogitsOfEveryTokenAndLayerOnce() throws Exception {
        StreamExecutionEnvironment env = environment();
        MoeResult result =
                MoeLayers.builder(options).routerLogits().build().score(source(env, tokens()));
        CloseableIterator<ScoredToken> scored = result.scored().collectAsync();
        CloseableIterator<RouterLogits> logits = result.routerLogits().collectAsync();
        env.executeAsync();
        assertThat(all(scored)).hasSize(TOKENS);

        Set<List<Long>> seen = new HashSet<>();
        for (RouterLogits found : all(logits)) {
            int row = (int) found.position();
            assertThat(seen.add(List.of((long) found.layer(), found.position()))).isTrue();
            assertThat(found.stream()).isEqualTo(stream(row));
            float[] reference = expected.layers().get(found.layer()).logits();
            assertThat(found.logits())
                    .as("token %d in layer %d", row, found.layer())
                    .isEqualTo(Arrays.copyOfRange(reference, row * N, row * N + N));
        }
        assertThat(seen).hasSize(TOKENS * LAYERS);
    }

    @Test
    void runsTwoBundlesInOneJob() throws Exception {
        Bundle single = NumberedBundle.write(directory.resolve("single"), N, 1, 1);
        Configuration others = new Configuration(options);
        others.set(MoeOptions.BUNDLE, single.directory().toString());
        StreamExecutionEnvironment env = environment();
        DataStream<Token> tokens = source(env, tokens());
        MoeLayers two = MoeLayers.builder(options).name("two").build();
        MoeLayers one = MoeLayers.builder(others).name("one").build();
        CloseableIterator<ScoredToken> ofTwo = two.score(tokens).scored().collectAsync();
        CloseableIterator<ScoredToken> ofOne = one.score(tokens).scored().collectAsync();
        env.executeAsync();

        checkScored(all(ofTwo), two.modelVersion(), TOKENS);
        List<ScoredToken> scored = all(ofOne);
        assertThat(scored).hasSize(TOKENS);
        for (ScoredToken token : scored) {
            // With k = 1 the weight is 1: y = x + (e + 1) x, and e is where x is largest.
            int expert = token.layers()[0].experts()[0];
            int row = (int) token.position();
            assertThat(token.modelVersion()).isEqualTo(single.spec().version());
            for (int i = 0; i < N; i++) {
                float value = x[row * N + i];
                assertThat(value).isLessThanOrEqualTo(x[row * N + expert]);
                assertThat(token.values()[i]).isEqualTo(value + (expert + 1f) * value);
            }
        }
    }

    /** Every token of the reference once, with its bits. */
    private void checkScored(List<ScoredToken> scored, String version, int count) {
        assertThat(scored).hasSize(count);
        assertThat(scored).extracting(ScoredToken::position).doesNotHaveDuplicates();
        for (ScoredToken token : scored) {
            int row = (int) token.position();
            assertThat(token.stream()).isEqualTo(stream(row));
            assertThat(token.timestamp()).isEqualTo(row);
            assertThat(token.modelVersion()).isEqualTo(version);
            assertThat(bits(token.values()))
                    .as("the bits of token %d", row)
                    .isEqualTo(bits(Arrays.copyOfRange(expected.out(), row * N, row * N + N)));
            assertThat(token.layers()).hasSize(LAYERS);
            for (int layer = 0; layer < LAYERS; layer++) {
                Decision decision = token.layers()[layer];
                LayerResult result = expected.layers().get(layer);
                int from = row * K;
                String what = "token %d in layer %d".formatted(row, layer);
                assertThat(decision.experts())
                        .as(what)
                        .isEqualTo(Arrays.copyOfRange(result.experts(), from, from + K));
                assertThat(bits(decision.weights()))
                        .as(what)
                        .isEqualTo(bits(Arrays.copyOfRange(result.weights(), from, from + K)));
                assertThat(decision.outcomes()).as(what).containsOnly(Outcome.EXECUTED);
            }
        }
    }

    private StreamExecutionEnvironment environment() {
        return StreamExecutionEnvironment.createLocalEnvironment(PARALLELISM, options);
    }

    private static DataStream<Token> source(StreamExecutionEnvironment env, List<Token> tokens) {
        return ShuffledPartitions.of(env, tokens, PARALLELISM, 5);
    }

    private List<Token> tokens() {
        List<Token> tokens = new ArrayList<>();
        for (int row = 0; row < TOKENS; row++) {
            float[] values = Arrays.copyOfRange(x, row * N, row * N + N);
            tokens.add(new Token(stream(row), row, row, values));
        }
        return tokens;
    }

    private static String stream(int row) {
        return "stream" + row % 7;
    }

    private static <T> List<T> all(CloseableIterator<T> results) throws Exception {
        List<T> list = new ArrayList<>();
        try (results) {
            results.forEachRemaining(list::add);
        }
        return list;
    }

    private static int[] bits(float[] values) {
        int[] bits = new int[values.length];
        Arrays.setAll(bits, i -> Float.floatToRawIntBits(values[i]));
        return bits;
    }

    private static float[] gaussian(int count) {
        Random random = new Random(1);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
