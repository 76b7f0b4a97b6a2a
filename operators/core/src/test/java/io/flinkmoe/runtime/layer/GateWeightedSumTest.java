// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.onnx.layer.LayerOutput;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class GateWeightedSumTest {

    private static final int D = 5;
    private static final int N = 9;
    private static final LayerSpec LAYER =
            LayerSpec.oneGate(
                    D,
                    "router.onnx",
                    RoutingConfig.softmax(N, 2),
                    Collections.nCopies(N, "expert.onnx"));

    private static final Outcome[] ANSWERS = {
        Outcome.EXECUTED, Outcome.EXECUTED, Outcome.OVERFLOWED, Outcome.LATE, Outcome.FAILED
    };

    private final Random random = new Random(1);

    @Test
    void givesTheBitsOfAPlainLoopInOrderOfRank() throws Exception {
        GateWeightedSum sum =
                new GateWeightedSum(LAYER, WeightRule.ROUTER, LayerOutput.direct(LAYER));
        for (int run = 0; run < 500; run++) {
            Case test = new Case(1 + random.nextInt(20), 1 + random.nextInt(4));
            byte[] before = test.residual.tokens().vectors().clone();
            int[] rows = test.someRows();

            TokenBlock found = sum.of(test.residual, test.contributions, rows);

            String what = "run %d, rows %s".formatted(run, Arrays.toString(rows));
            assertThat(found.vectors()).as(what).isEqualTo(Floats.toBytes(test.loop(rows)));
            checkTheRest(what, test, rows, found);
            assertThat(test.residual.tokens().vectors()).as(what).isEqualTo(before);
            assertThat(test.residual.choices().outcomes())
                    .as("%s: the block in state stays as it is", what)
                    .isEqualTo(test.outcomesBefore);
        }
    }

    @Test
    void keepsTheResidualWhereNothingWasExecuted() throws Exception {
        Choices late =
                new Choices(
                        2,
                        new int[] {1, 0},
                        new float[] {0.5f, 0.5f},
                        new byte[] {Outcome.LATE.code(), Outcome.LATE.code()});
        byte[] vectors = Floats.toBytes(new float[] {1, -0f, 3, Float.MIN_VALUE, 5});
        TokenBlock tokens =
                new TokenBlock(
                        0, new String[] {"a"}, new long[1], new long[1], vectors, new Choices[0]);
        TokenBlock found =
                new GateWeightedSum(LAYER, WeightRule.ROUTER, LayerOutput.direct(LAYER))
                        .of(new RoutedBlock(0, tokens, late), List.of(), new int[] {0});
        assertThat(found.vectors()).isEqualTo(vectors);
        assertThat(found.layers()[0]).usingRecursiveComparison().isEqualTo(late);
    }

    private static void checkTheRest(String what, Case test, int[] rows, TokenBlock found) {
        TokenBlock tokens = test.residual.tokens();
        assertThat(found.lane()).isEqualTo(tokens.lane());
        assertThat(found.rows()).as(what).isEqualTo(rows.length);
        assertThat(found.layers()).hasSize(2);
        Choices settled =
                new Choices(
                        test.k,
                        test.residual.choices().experts(),
                        test.residual.choices().weights(),
                        Choices.NO_SCORES,
                        test.outcomes,
                        test.attempts);
        for (int i = 0; i < rows.length; i++) {
            assertThat(found.streams()[i]).as(what).isEqualTo(tokens.streams()[rows[i]]);
            assertThat(found.positions()[i]).as(what).isEqualTo(tokens.positions()[rows[i]]);
            assertThat(found.timestamps()[i]).as(what).isEqualTo(tokens.timestamps()[rows[i]]);
        }
        assertThat(found.layers()[0])
                .as("%s: the layer before", what)
                .usingRecursiveComparison()
                .isEqualTo(tokens.layers()[0].select(rows));
        assertThat(found.layers()[1])
                .as("%s: this layer", what)
                .usingRecursiveComparison()
                .isEqualTo(settled.select(rows));
    }

    /** Random tokens, and answers to all their choices in blocks of several experts. */
    private final class Case {
        final int k;
        final RoutedBlock residual;
        final byte[] outcomes;
        final byte[] attempts;
        final byte[] outcomesBefore;
        final float[] outputs;
        final List<ContributionBlock> contributions = new ArrayList<>();

        Case(int rows, int k) {
            this.k = k;
            byte[] codes = new byte[rows * k];
            outcomes = new byte[rows * k];
            attempts = new byte[rows * k];
            List<Integer> asked = new ArrayList<>();
            for (int choice = 0; choice < outcomes.length; choice++) {
                boolean settled = random.nextInt(8) == 0;
                outcomes[choice] =
                        (settled ? Outcome.LATE : ANSWERS[random.nextInt(ANSWERS.length)]).code();
                codes[choice] = settled ? outcomes[choice] : Choices.PENDING;
                if (!settled) {
                    attempts[choice] = (byte) random.nextInt(2);
                    asked.add(choice);
                }
            }
            outcomesBefore = codes.clone();
            outputs = gaussian(outcomes.length * D, 1e6f);
            residual = new RoutedBlock(7, tokens(rows), choices(rows, codes, attempts));
            Collections.shuffle(asked, random);
            while (!asked.isEmpty()) {
                List<Integer> some = asked.subList(0, 1 + random.nextInt(asked.size()));
                contributions.add(answer(some.stream().mapToInt(choice -> choice).toArray()));
                some.clear();
            }
        }

        private TokenBlock tokens(int rows) {
            String[] streams = new String[rows];
            Arrays.setAll(streams, row -> "stream" + row);
            return new TokenBlock(
                    2,
                    streams,
                    random.longs(rows).toArray(),
                    random.longs(rows).toArray(),
                    Floats.toBytes(gaussian(rows * D, 1e6f)),
                    new Choices[] {choices(rows, new byte[rows * k], new byte[rows * k])});
        }

        private Choices choices(int rows, byte[] codes, byte[] inAttempts) {
            int ranks = 2 * k;
            return new Choices(
                    k,
                    random.ints(rows * ranks, 0, N).toArray(),
                    gaussian(rows * ranks, 1),
                    Choices.NO_SCORES,
                    codes,
                    inAttempts);
        }

        private ContributionBlock answer(int[] choices) {
            byte[] codes = new byte[choices.length];
            float[] executed = new float[choices.length * D];
            int count = 0;
            for (int i = 0; i < choices.length; i++) {
                codes[i] = outcomes[choices[i]];
                if (codes[i] == Outcome.EXECUTED.code()) {
                    System.arraycopy(outputs, choices[i] * D, executed, count++ * D, D);
                    outcomes[choices[i]] =
                            (attempts[choices[i]] == 0 ? Outcome.EXECUTED : Outcome.REROUTED)
                                    .code();
                }
            }
            Vectors vectors = Vectors.of(Floats.toBytes(Arrays.copyOf(executed, count * D)));
            return new ContributionBlock(2, 7, choices, codes, vectors);
        }

        int[] someRows() {
            int[] some =
                    IntStream.range(0, residual.tokens().rows())
                            .filter(row -> random.nextInt(3) > 0)
                            .toArray();
            return some.length > 0 ? some : new int[] {0};
        }

        float[] loop(int[] rows) {
            float[] residuals = Floats.toFloats(residual.tokens().vectors());
            float[] y = new float[rows.length * D];
            for (int i = 0; i < rows.length; i++) {
                for (int column = 0; column < D; column++) {
                    float value = residuals[rows[i] * D + column];
                    for (int choice = rows[i] * k; choice < rows[i] * k + k; choice++) {
                        if (outcomes[choice] == Outcome.EXECUTED.code()
                                || outcomes[choice] == Outcome.REROUTED.code()) {
                            int rank = choice % k + attempts[choice] * k;
                            float weight = residual.choices().weights()[choice / k * 2 * k + rank];
                            value = value + weight * outputs[choice * D + column];
                        }
                    }
                    y[i * D + column] = value;
                }
            }
            return y;
        }

        private float[] gaussian(int count, float scale) {
            float[] values = new float[count];
            for (int i = 0; i < count; i++) {
                values[i] = (float) random.nextGaussian() * scale;
            }
            return values;
        }
    }
}
