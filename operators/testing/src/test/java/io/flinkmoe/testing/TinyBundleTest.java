// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import static io.flinkmoe.testing.MoeAssertions.assertThat;
import static io.flinkmoe.testing.MoeAssertions.assertThatThrownBy;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.BundleSpec;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

class TinyBundleTest {

    @RegisterExtension
    private static final MiniClusterExtension CLUSTER = new MiniClusterExtension();

    @TempDir private Path folder;

    @Test
    void hasADefaultForEverything() {
        TinyBundle tiny = TinyBundle.builder().writeTo(folder);

        BundleSpec spec = tiny.bundle().spec();
        assertThat(spec.inputSize()).isEqualTo(4);
        assertThat(spec.layers()).hasSize(1);
        assertThat(spec.layers().get(0).experts()).hasSize(4);
        assertThat(spec.encoder()).isNull();
        assertThat(spec.head()).isNull();
        assertThat(tiny.options().get(MoeOptions.BUNDLE)).isEqualTo(folder.toString());
    }

    @Test
    void routesToAllExperts() throws Exception {
        List<ScoredToken> scored =
                score(TinyBundle.builder().numExperts(8).inputSize(6), tokens(100, 6));

        assertThat(scored)
                .flatMap(token -> Arrays.stream(token.layers()[0].experts()).boxed().toList())
                .containsAll(IntStream.range(0, 8).boxed().toList());
    }

    @Test
    void givesTheSameBitsForTheSameSeed() throws Exception {
        TinyBundle.Builder builder = TinyBundle.builder().layers(2).seed(5);
        String version = builder.writeTo(folder.resolve("a")).bundle().spec().version();

        assertThat(builder.writeTo(folder.resolve("b")).bundle().spec().version())
                .isEqualTo(version);
        assertThat(builder.seed(6).writeTo(folder.resolve("c")).bundle().spec().version())
                .isNotEqualTo(version);
    }

    @Test
    void hasEncoderAndHeadWhereTheWidthsDiffer() throws Exception {
        List<ScoredToken> scored =
                score(
                        TinyBundle.builder().inputSize(3).hiddenSize(8).outputSize(1).layers(2),
                        tokens(10, 3));

        assertThat(scored).hasSize(10).allSatisfy(token -> assertThat(token.values()).hasSize(1));
        assertThat(scored.get(0)).layer(1).isExecuted();
    }

    @Test
    void letsATestChooseTheExpertsByTheValuesOfAToken() throws Exception {
        TinyBundle.Builder builder =
                TinyBundle.builder()
                        .numExperts(3)
                        .topK(1)
                        .identityRouter()
                        .experts(FixedExperts.scaling(2))
                        .expert(1, FixedExperts.constant(7))
                        .expert(2, FixedExperts.notANumber());
        TestTokens stream = TestTokens.stream("s");

        List<ScoredToken> scored =
                score(
                        builder,
                        List.of(stream.next(5, 1, 0), stream.next(0, 5, 0), stream.next(0, 0, 5)));

        assertThat(scored.get(0)).wasExecutedBy(0).hasValues(15, 3, 0);
        assertThat(scored.get(1)).wasExecutedBy(1).hasValues(7, 12, 7);
        assertThat(scored.get(2)).failed().wasExecutedBy().hasValues(0, 0, 5);
    }

    @Test
    void refusesWhatCannotBe() {
        assertThatThrownBy(() -> TinyBundle.builder().numExperts(2).topK(3).writeTo(folder))
                .hasMessage("topK is 3; allowed: 1 to 2 (N)");
        assertThatThrownBy(() -> TinyBundle.builder().topK(0))
                .hasMessage("topK is 0; allowed: 1 or more");
        assertThatThrownBy(
                        () ->
                                TinyBundle.builder()
                                        .numExperts(4)
                                        .hiddenSize(3)
                                        .identityRouter()
                                        .writeTo(folder))
                .hasMessage("hiddenSize is 3; with identityRouter it must be numExperts, 4");
        assertThatThrownBy(
                        () ->
                                TinyBundle.builder()
                                        .experts(FixedExperts.constant(1, 2))
                                        .writeTo(folder))
                .hasMessage("the output has 2 values; allowed: 1 or the hidden size, 4");
    }

    private static List<Token> tokens(int count, int width) {
        return TestTokens.of("card-1", count, width);
    }

    private List<ScoredToken> score(TinyBundle.Builder builder, List<Token> tokens)
            throws Exception {
        Configuration options = builder.writeTo(folder).options();
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        return MoeLayers.builder(options)
                .build()
                .score(env.fromData(tokens))
                .scored()
                .executeAndCollect(tokens.size())
                .stream()
                .sorted(Comparator.comparing(ScoredToken::position))
                .toList();
    }
}
