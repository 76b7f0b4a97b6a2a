// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.Scores;
import io.flinkmoe.routing.ScoringFunc;
import io.flinkmoe.routing.SeededNoise;
import io.flinkmoe.routing.TopKRouter;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.WindowRules;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The reference with a capacity, against {@link WindowRules} on random small windows. */
class ReferenceCapacityTest {

    private static final int WINDOW_MILLIS = 50;
    private static final int WINDOWS = 12;
    private static final TumblingWindows FIFTY = new TumblingWindows(WINDOW_MILLIS);

    @TempDir private Path directory;

    private Random random;
    private int n;
    private int k;
    private int tokens;
    private float[] x;
    private TokenMetadata metadata;

    @ParameterizedTest
    @ValueSource(
            ints = {
                1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
                24
            })
    void decidesByTheRules(int seed) throws Exception {
        random = new Random(seed);
        n = 2 + random.nextInt(5);
        k = 1 + random.nextInt(Math.min(3, n));
        AdmissionOrder order = AdmissionOrder.values()[seed % 4];
        int rounds = random.nextInt(1 + (n - 1) / k);
        boolean renormalizes = random.nextBoolean();
        CapacityFormula formula =
                random.nextInt(3) == 0
                        ? CapacityFormula.fixed(random.nextInt(4))
                        : CapacityFormula.megatron(0.2 + 0.6 * random.nextDouble());
        Capacity capacity =
                AtWindowClose.of(FIFTY, formula, order)
                        .withWeightRule(renormalizes ? WeightRule.SURVIVORS : WeightRule.ROUTER)
                        .withOverflowRounds(rounds);
        int layers = 1 + random.nextInt(2);
        Bundle bundle = NumberedBundle.write(directory.resolve("bundle"), n, k, layers);
        drawTokens();

        ReferenceModel.Result found;
        try (ReferenceModel model = ReferenceModel.open(bundle, capacity)) {
            found = model.forward(x, metadata);
        }

        Map<Outcome, Integer> outcomes = new EnumMap<>(Outcome.class);
        int[] rows = inOrder();
        try (ReferenceModel dropless = ReferenceModel.open(bundle)) {
            for (int from = 0; from < tokens; ) {
                long start = FIFTY.startOf(metadata.timestamps()[rows[from]]);
                int to = from;
                while (to < tokens && FIFTY.startOf(metadata.timestamps()[rows[to]]) == start) {
                    to++;
                }
                int[] window = Arrays.copyOfRange(rows, from, to);
                Oracle oracle = new Oracle(window, formula, order, rounds, renormalizes);
                ReferenceModel.Result expected =
                        dropless.forward(valuesOf(window), window.length, null, oracle);
                for (int layer = 0; layer < layers; layer++) {
                    check(window, expected.layers().get(layer), found.layers().get(layer));
                }
                checkRows(window, n, expected.out(), found.out());
                Arrays.stream(oracle.rules.outcomes)
                        .forEach(o -> outcomes.merge(o, 1, Integer::sum));
                from = to;
            }
        }
        boolean admitsAny = formula.capacity(tokens, n, k) > 0;
        assertThat(outcomes.containsKey(Outcome.EXECUTED)).isEqualTo(admitsAny);
        assertThat(outcomes).containsKey(Outcome.OVERFLOWED);
        assertThat(outcomes.containsKey(Outcome.REROUTED)).isEqualTo(admitsAny && rounds > 0);
    }

    /** Tokens of several windows in random order. Many logits and timestamps are equal. */
    private void drawTokens() {
        tokens = WINDOWS + random.nextInt(WINDOWS * 20);
        x = new float[tokens * n];
        for (int i = 0; i < x.length; i++) {
            x[i] = random.nextInt(5) / 4f;
        }
        metadata = new TokenMetadata(new long[tokens], new String[tokens], new long[tokens]);
        for (int row = 0; row < tokens; row++) {
            metadata.timestamps()[row] = random.nextInt(WINDOWS * WINDOW_MILLIS) - 3;
            metadata.streams()[row] = "stream-" + random.nextInt(5);
            metadata.positions()[row] = row % 7 == 0 ? -row : row;
        }
    }

    private int[] inOrder() {
        return IntStream.range(0, tokens)
                .boxed()
                .sorted(
                        Comparator.comparing((Integer row) -> metadata.timestamps()[row])
                                .thenComparing(row -> metadata.streams()[row])
                                .thenComparing(row -> metadata.positions()[row]))
                .mapToInt(Integer::intValue)
                .toArray();
    }

    private float[] valuesOf(int[] rows) {
        float[] values = new float[rows.length * n];
        for (int i = 0; i < rows.length; i++) {
            System.arraycopy(x, rows[i] * n, values, i * n, n);
        }
        return values;
    }

    private void check(int[] rows, LayerResult expected, LayerResult found) {
        checkRows(rows, n, expected.out(), found.out());
        checkRows(rows, k, expected.weights(), found.weights());
        for (int choice = 0; choice < rows.length * k; choice++) {
            int at = rows[choice / k] * k + choice % k;
            assertThat(found.outcomes()[at]).isEqualTo(expected.outcomes()[choice]);
            assertThat(found.experts()[at]).isEqualTo(expected.experts()[choice]);
            assertThat(found.attempts()[at]).isEqualTo(expected.attempts()[choice]);
            boolean overflowed = found.outcomes()[at] == Outcome.OVERFLOWED.code();
            assertThat(found.slots()[at] < 0).isEqualTo(overflowed);
        }
    }

    private static void checkRows(int[] rows, int width, float[] expected, float[] found) {
        for (int i = 0; i < rows.length; i++) {
            assertThat(Arrays.copyOfRange(found, rows[i] * width, (rows[i] + 1) * width))
                    .as("row %d", rows[i])
                    .isEqualTo(Arrays.copyOfRange(expected, i * width, (i + 1) * width));
        }
    }

    /** What the rules make of the choices of one window, layer by layer. */
    private final class Oracle implements ChoiceRule {
        private final int[] rows;
        private final CapacityFormula formula;
        private final AdmissionOrder order;
        private final int rounds;
        private final boolean renormalizes;
        private WindowRules rules;
        private int layer;

        Oracle(
                int[] rows,
                CapacityFormula formula,
                AdmissionOrder order,
                int rounds,
                boolean renormalizes) {
            this.rows = rows;
            this.formula = formula;
            this.order = order;
            this.rounds = rounds;
            this.renormalizes = renormalizes;
        }

        @Override
        public void apply(LayerResult routed) {
            int[] preferences = new int[rows.length * n];
            float[] weights = new float[rows.length * n];
            new TopKRouter(RoutingConfig.mixtral(n, k), n)
                    .route(routed.logits(), rows.length, preferences, weights);
            boolean draws = order == AdmissionOrder.RANDOM;
            rules =
                    new WindowRules(
                            preferences,
                            draws ? draws() : Scores.of(ScoringFunc.SOFTMAX, routed.logits(), n),
                            n,
                            k,
                            rounds,
                            formula.capacity(rows.length, n, k),
                            order);
            for (int choice = 0; choice < rows.length * k; choice++) {
                boolean executed = rules.outcomes[choice] != Outcome.OVERFLOWED;
                routed.outcomes()[choice] = rules.outcomes[choice].code();
                routed.attempts()[choice] = (byte) rules.attempts[choice];
                int rank = choice % k + (executed ? rules.attempts[choice] * k : 0);
                routed.experts()[choice] = preferences[choice / k * n + rank];
                routed.weights()[choice] = weights[choice / k * n + rank];
            }
            if (renormalizes) {
                float[] shares = rules.shares(routed.weights(), k);
                System.arraycopy(shares, 0, routed.weights(), 0, shares.length);
            }
            layer++;
        }

        private float[] draws() {
            float[] draws = new float[rows.length * n];
            for (int i = 0; i < draws.length; i++) {
                int row = rows[i / n];
                long seed =
                        SeededNoise.seed(metadata.streams()[row], metadata.positions()[row], layer);
                NoiseSource source = new SeededNoise(new long[] {seed});
                draws[i] = source.priority(0, i % n);
            }
            return draws;
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6})
    void firstComeAdmitsInOrderOfTheRows(int seed) throws Exception {
        random = new Random(seed);
        n = 2 + random.nextInt(5);
        k = 1 + random.nextInt(Math.min(3, n));
        drawTokens();
        int capacity = random.nextInt(9);
        Bundle bundle = NumberedBundle.write(directory.resolve("bundle"), n, k, 1);
        LayerResult found;
        try (ReferenceModel model = ReferenceModel.open(bundle, FirstCome.of(FIFTY, capacity))) {
            found = model.forward(x, metadata).layers().get(0);
        }
        Map<String, Integer> used = new HashMap<>();
        for (int choice = 0; choice < tokens * k; choice++) {
            long start = FIFTY.startOf(metadata.timestamps()[choice / k]);
            int number = used.merge(start + "/" + found.experts()[choice], 1, Integer::sum);
            Outcome expected = number <= capacity ? Outcome.EXECUTED : Outcome.OVERFLOWED;
            assertThat(Outcome.ofCode(found.outcomes()[choice])).isEqualTo(expected);
            assertThat(found.slots()[choice]).isEqualTo(number <= capacity ? number - 1 : -1);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6})
    void sharesOfAWindowAreExpertChoice(int seed) throws Exception {
        random = new Random(seed);
        n = 2 + random.nextInt(5);
        k = n;
        drawTokens();
        metadata = TokenMetadata.ofRows(tokens);
        CapacityFormula formula = CapacityFormula.expertChoice(0.5);
        Capacity capacity =
                AtWindowClose.of(FIFTY, formula, AdmissionOrder.GATE_SCORE)
                        .withWeightRule(WeightRule.WINDOW);
        Bundle bundle =
                NumberedBundle.write(directory.resolve("bundle"), RoutingConfig.softmax(n, n));
        LayerResult found;
        try (ReferenceModel model = ReferenceModel.open(bundle, capacity)) {
            found = model.forward(x, tokens).layers().get(0);
        }
        int size = formula.capacity(tokens, n, n);
        ExpertChoice expected = ExpertChoice.overTokens(found.logits(), n, size);
        float[] weights = new float[tokens * n];
        for (int pick = 0; pick < expected.tokenIds().length; pick++) {
            weights[expected.tokenIds()[pick] * n + pick / size] = expected.weights()[pick];
        }
        for (int choice = 0; choice < tokens * n; choice++) {
            float weight = weights[choice / n * n + found.experts()[choice]];
            assertThat(found.weights()[choice]).isEqualTo(weight);
            assertThat(found.slots()[choice] >= 0).isEqualTo(weight > 0);
        }
    }

    @Test
    void tokensThatCannotBeRoutedFailAndTakeNoCapacity() throws Exception {
        n = 3;
        k = 1;
        x = new float[] {Float.NaN, 0, 0, 1, 0, 0, 1, 0, 0};
        Bundle bundle = NumberedBundle.write(directory.resolve("bundle"), n, k, 1);
        try (ReferenceModel model = ReferenceModel.open(bundle, FirstCome.of(FIFTY, 1))) {
            LayerResult found = model.forward(x, 3).layers().get(0);
            assertThat(found.outcomes())
                    .containsExactly(
                            Outcome.FAILED.code(),
                            Outcome.EXECUTED.code(),
                            Outcome.OVERFLOWED.code());
            assertThat(found.experts()).containsExactly(-1, 0, 0);
        }
    }

    @Test
    void randomAdmissionNeedsDraws() throws Exception {
        Bundle bundle = NumberedBundle.write(directory.resolve("bundle"), 2, 1, 1);
        Capacity capacity =
                AtWindowClose.of(FIFTY, CapacityFormula.fixed(1), AdmissionOrder.RANDOM);
        try (ReferenceModel model = ReferenceModel.open(bundle, capacity)) {
            assertThatThrownBy(() -> model.forward(new float[2], 1))
                    .hasMessage("random admission needs draws");
        }
    }
}
