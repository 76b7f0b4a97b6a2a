// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What our encoders write is what Avro's own write, byte for byte. */
class EncodersTest {

    private static final Instant TIMESTAMP = Instant.ofEpochMilli(991_000_000_123L);

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 10, 511, 20_000})
    void writesTokensAsAvroDoes(int width) throws IOException {
        float[] values = vector(width);
        Token token = new Token("JFK ✈", -7L, TIMESTAMP, boxed(values), null);

        byte[] single =
                TokenEncoder.singleObject().encode("JFK ✈", -7, TIMESTAMP.toEpochMilli(), values);
        byte[] raw = TokenEncoder.raw().encode("JFK ✈", -7, TIMESTAMP.toEpochMilli(), values);

        assertThat(single).isEqualTo(Avro.singleObject(token));
        assertThat(raw).isEqualTo(Avro.raw(token));
        assertThat(Token.fromByteBuffer(ByteBuffer.wrap(single))).isEqualTo(token);
    }

    @Test
    void writesScoredTokensAsAvroDoes() throws IOException {
        float[] values = {0.25f};
        int[][] experts = {{3, 1}, {7, -1}};
        float[][] weights = {{0.75f, 0.25f}, {1f, 0f}};
        int[][] outcomes = {
            {Outcome.EXECUTED.ordinal(), Outcome.OVERFLOWED.ordinal()},
            {Outcome.REROUTED.ordinal(), Outcome.FAILED.ordinal()}
        };
        ScoredToken scored =
                new ScoredToken(
                        "JFK",
                        Long.MAX_VALUE,
                        TIMESTAMP,
                        boxed(values),
                        null,
                        "v1",
                        List.of(
                                layer(
                                        new Choice(3, 0.75f, Outcome.EXECUTED, List.of()),
                                        new Choice(1, 0.25f, Outcome.OVERFLOWED, List.of())),
                                layer(
                                        new Choice(7, 1f, Outcome.REROUTED, List.of()),
                                        new Choice(-1, 0f, Outcome.FAILED, List.of()))));

        for (int twice = 0; twice < 2; twice++) {
            ScoredTokenEncoder single = ScoredTokenEncoder.singleObject();
            ScoredTokenEncoder raw = ScoredTokenEncoder.raw();
            assertThat(encode(single, scored, values, experts, weights, outcomes))
                    .isEqualTo(Avro.singleObject(scored));
            assertThat(encode(raw, scored, values, experts, weights, outcomes))
                    .isEqualTo(Avro.raw(scored));
        }
    }

    @Test
    void writesTheWeightsOfSeveralGatesAndTheirSum() throws IOException {
        int executed = Outcome.EXECUTED.ordinal();
        int late = Outcome.LATE.ordinal();
        ScoredToken scored =
                new ScoredToken(
                        "JFK",
                        0L,
                        TIMESTAMP,
                        List.of(1f),
                        null,
                        "v1",
                        List.of(
                                layer(
                                        new Choice(
                                                3,
                                                0.75f,
                                                Outcome.EXECUTED,
                                                List.of(0.5f, 0f, 0.25f)),
                                        new Choice(1, 1.5f, Outcome.LATE, List.of(0f, 1f, 0.5f))),
                                layer(new Choice(2, 0.5f, Outcome.LATE, List.of()))));

        byte[] bytes =
                encode(
                        ScoredTokenEncoder.raw(),
                        scored,
                        new float[] {1},
                        new int[][] {{3, 1}, {2}},
                        new float[][] {{0.5f, 0, 0, 1, 0.25f, 0.5f}, {0.5f}},
                        new int[][] {{executed, late}, {late}});

        assertThat(bytes).isEqualTo(Avro.raw(scored));
    }

    @Test
    void writesScoredTokensWithoutValues() throws IOException {
        ScoredToken scored = new ScoredToken("JFK", 1L, TIMESTAMP, null, null, "v1", List.of());

        byte[] bytes =
                encode(
                        ScoredTokenEncoder.singleObject(),
                        scored,
                        null,
                        new int[0][],
                        new float[0][],
                        new int[0][]);

        assertThat(bytes).isEqualTo(Avro.singleObject(scored));
        assertThat(ScoredToken.fromByteBuffer(ByteBuffer.wrap(bytes)).getValues()).isNull();
    }

    @Test
    void writesScoredTokensWithoutLayers() throws IOException {
        ScoredToken scored = new ScoredToken("", 0L, TIMESTAMP, List.of(), null, "", List.of());

        byte[] bytes =
                encode(
                        ScoredTokenEncoder.raw(),
                        scored,
                        new float[0],
                        new int[0][],
                        new float[0][],
                        new int[0][]);

        assertThat(bytes).isEqualTo(Avro.raw(scored));
    }

    @Test
    void encodersCanBeUsedAgain() {
        TokenEncoder encoder = TokenEncoder.singleObject();
        byte[] first = encoder.encode("a", 1, 2, new float[] {1f, 2f, 3f});
        byte[] copy = first.clone();

        byte[] second = encoder.encode("b", 1, 2, new float[] {4f});

        assertThat(first).isEqualTo(copy);
        assertThat(second)
                .isEqualTo(TokenEncoder.singleObject().encode("b", 1, 2, new float[] {4f}));
    }

    private static byte[] encode(
            ScoredTokenEncoder encoder,
            ScoredToken token,
            float[] values,
            int[][] experts,
            float[][] weights,
            int[][] outcomes) {
        return encoder.encode(
                token.getStream(),
                token.getPosition(),
                token.getTimestamp().toEpochMilli(),
                values,
                null,
                token.getModelVersion(),
                experts,
                weights,
                outcomes);
    }

    private static LayerDecision layer(Choice... choices) {
        return new LayerDecision(List.of(choices));
    }

    /** Has every kind of float: both zeros, subnormal, infinite, and NaN of an unusual pattern. */
    private static float[] vector(int width) {
        float[] special = {
            0f, -0f, Float.MIN_VALUE, Float.MAX_VALUE, Float.NEGATIVE_INFINITY, Float.NaN
        };
        float[] values = new float[width];
        for (int i = 0; i < width; i++) {
            values[i] = i < special.length ? special[i] : i * 0.37f;
        }
        return values;
    }

    private static List<Float> boxed(float[] values) {
        List<Float> boxed = new ArrayList<>(values.length);
        for (float value : values) {
            boxed.add(value);
        }
        return boxed;
    }
}
