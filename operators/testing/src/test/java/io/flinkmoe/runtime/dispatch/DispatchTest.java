// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import static io.flinkmoe.runtime.dispatch.DispatchBlocks.D;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.K;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.RANKS;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.admitted;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.block;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.decided;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.late;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.sent;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.undecided;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.vector;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.DecisionBlock.OfBatch;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.DispatchHarness;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** What a dispatch sends to the experts and to the combine. */
@ParameterizedClass
@EnumSource
class DispatchTest {

    private static final byte PENDING = Choices.PENDING;
    private static final byte OVERFLOWED = Outcome.OVERFLOWED.code();
    private static final byte LATE = Outcome.LATE.code();

    @Parameter private Backend backend;
    @TempDir private static Path directory;
    private static Configuration options;

    @BeforeAll
    static void writeBundle() {
        options = DispatchBlocks.options(directory);
    }

    private DispatchHarness open() throws Exception {
        return OperatorHarnesses.of(options).stateBackend(backend.make()).dispatch(0);
    }

    @Test
    void rowsGoToTheExpertsOfTheAttemptsThatAdmittedThem() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(2, 0, "a@1", "b@2"));
            harness.send(admitted(2, 0, 0, 2));
            harness.send(decided(2, 0, 1, PENDING, 1), decided(2, 0, 1, OVERFLOWED, 3));
            harness.runSlices();

            assertThat(rows(harness))
                    .containsExactly(
                            "expert 0, lane 2, batch 0, choices [0]: " + values(0, 0),
                            "expert 1, lane 2, batch 0, choices [2]: " + values(0, 1),
                            "expert 3, lane 2, batch 0, choices [1]: " + values(0, 0));
        }
    }

    @Test
    void oneRecordHoldsAllRowsOfAnExpert() throws Exception {
        try (DispatchHarness harness = open()) {
            // Token r tries expert r % 4 first, and expert (r + 1) % 4.
            harness.send(undecided(0, 0, "a@1", "a@2", "a@3", "a@4", "a@5"));
            harness.send(admitted(0, 0, 0, 7, 8), decided(0, 0, 0, OVERFLOWED, 1, 2, 3, 4, 5));
            harness.send(decided(0, 0, 0, OVERFLOWED, 6, 9));
            harness.runSlices();

            assertThat(rows(harness))
                    .containsExactly(
                            "expert 0, lane 0, batch 0, choices [0, 7, 8]: " + values(0, 0, 3, 4));
        }
    }

    @Test
    void outcomesAndAttemptsGoToTheCombine() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1", "b@2", "c@3"));
            harness.send(admitted(0, 0, 0), decided(0, 0, 0, OVERFLOWED, 1));
            harness.send(decided(0, 0, 1, PENDING, 2), decided(0, 0, 1, OVERFLOWED, 3));
            harness.send(decided(0, 0, 0, LATE, 4), decided(0, 0, 1, LATE, 5));
            harness.runSlices();

            Choices choices = harness.extractOutputValues().get(0).choices();
            assertThat(choices.outcomes())
                    .containsExactly(PENDING, OVERFLOWED, PENDING, OVERFLOWED, LATE, LATE);
            assertThat(choices.attempts()).containsExactly(0, 0, 1, 1, 0, 1);
        }
    }

    @Test
    void choicesAndVectorsAreThoseOfTheRowsThatLeave() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1", "b@2", "c@3"));
            harness.send(decided(0, 0, 1, PENDING, 2), decided(0, 0, 0, OVERFLOWED, 3));
            harness.processBothWatermarks(new Watermark(10));
            harness.send(admitted(0, 0, 0, 5), decided(0, 0, 0, OVERFLOWED, 1, 4));
            harness.runSlices();

            assertThat(sent(harness)).containsExactly("0/0: b@2", "0/1: a@1 c@3");
            assertThat(rows(harness))
                    .containsExactly(
                            "expert 3, lane 0, batch 0, choices [0]: " + values(0, 1),
                            "expert 0, lane 0, batch 1, choices [0]: " + values(0, 0),
                            "expert 3, lane 0, batch 1, choices [3]: " + values(0, 2));
            RoutedBlock second = harness.extractOutputValues().get(1);
            assertThat(second.tokens().positions()).containsExactly(0, 2);
            assertThat(second.choices().experts()).containsExactly(0, 1, 2, 3, 2, 3, 0, 1);
            assertThat(second.choices().weights()).containsExactly(0, 1, 2, 3, 20, 21, 22, 23);
            assertThat(second.choices().outcomes())
                    .containsExactly(PENDING, OVERFLOWED, OVERFLOWED, PENDING);
            assertThat(Floats.toFloats(second.tokens().vectors()))
                    .isEqualTo(concat(vector(0, 0), vector(0, 2)));
        }
    }

    @Test
    void expertsGetTheHiddenVectorsAndTheCombineTheResiduals() throws Exception {
        try (DispatchHarness harness = open()) {
            RoutedBlock block = undecided(0, 0, "a@1", "b@2");
            float[] hidden = {-1, -2, -3, -4, -5, -6};
            harness.send(
                    new RoutedBlock(
                            0,
                            block.tokens(),
                            block.choices(),
                            block.scales(),
                            Vectors.of(Floats.toBytes(hidden))));
            harness.send(admitted(0, 0, 2), decided(0, 0, 0, OVERFLOWED, 3));
            harness.processBothWatermarks(new Watermark(10));
            harness.send(admitted(0, 0, 0), decided(0, 0, 0, OVERFLOWED, 1));
            harness.runSlices();

            assertThat(rows(harness))
                    .containsExactly(
                            "expert 1, lane 0, batch 0, choices [0]: [-4.0, -5.0, -6.0]",
                            "expert 0, lane 0, batch 1, choices [0]: [-1.0, -2.0, -3.0]");
            RoutedBlock first = harness.extractOutputValues().get(0);
            assertThat(Floats.toFloats(first.tokens().vectors())).isEqualTo(vector(0, 1));
            assertThat(first.hidden().isEmpty()).isTrue();
        }
    }

    @Test
    void weightsOfDecisionsReplaceThoseOfTheRanksThatWereAdmitted() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1", "b@2"));
            byte[] both = {PENDING, PENDING};
            harness.send(
                    block(
                            0,
                            new OfBatch(0, 0, new int[] {1, 2}, both, new float[] {0.5f, 0.25f}),
                            new OfBatch(0, 1, new int[] {0}, both, new float[] {0.125f})));
            harness.send(admitted(0, 0, 3)); // Its weight is the router's.
            harness.runSlices();

            Choices choices = harness.extractOutputValues().get(0).choices();
            assertThat(choices.ranks()).isEqualTo(RANKS);
            assertThat(choices.weights()).containsExactly(0, 0.5f, 0.125f, 3, 0.25f, 11, 12, 13);
        }
    }

    /** A checkpoint may be writing it meanwhile. */
    @Test
    void decisionsDoNotChangeTheBlockThatArrived() throws Exception {
        try (DispatchHarness harness = open()) {
            RoutedBlock block = undecided(0, 0, "a@1");
            harness.send(block);
            byte[] outcomes = {OVERFLOWED, PENDING};
            float[] weights = {0.5f, 0.25f};
            harness.send(block(0, new OfBatch(0, 1, new int[] {0, 1}, outcomes, weights)));
            harness.runSlices();

            assertThat(sent(harness)).containsExactly("0/0: a@1");
            assertThat(block.choices().weights()).containsExactly(0, 1, 2, 3);
            assertThat(block.choices().outcomes()).containsExactly(PENDING, PENDING);
            assertThat(block.choices().attempts()).containsExactly(0, 0);
        }
    }

    @Test
    void scalesAndScoresAreThoseOfTheRowsThatLeave() throws Exception {
        try (DispatchHarness harness = open()) {
            RoutedBlock block = undecided(0, 0, "a@1", "b@2", "c@3");
            Choices choices = block.choices();
            float[] scores = new float[3 * RANKS];
            for (int i = 0; i < scores.length; i++) {
                scores[i] = i;
            }
            harness.send(
                    new RoutedBlock(
                            0,
                            block.tokens(),
                            new Choices(
                                    K,
                                    choices.experts(),
                                    choices.weights(),
                                    scores,
                                    choices.outcomes(),
                                    choices.attempts()),
                            new float[] {10, 20, 30},
                            Vectors.NONE));
            harness.send(admitted(0, 0, 2, 3));
            harness.processBothWatermarks(new Watermark(10));
            harness.send(admitted(0, 0, 0, 1, 4, 5));
            harness.runSlices();

            List<RoutedBlock> blocks = harness.extractOutputValues();
            assertThat(blocks.get(0).scales()).containsExactly(20);
            assertThat(blocks.get(1).scales()).containsExactly(10, 30);
            assertThat(blocks.get(0).choices().scores()).containsExactly(4, 5, 6, 7);
            assertThat(blocks.get(1).choices().scores()).containsExactly(0, 1, 2, 3, 8, 9, 10, 11);
        }
    }

    @Test
    void batchOfLateTokensOnlyPassesWithoutDecisions() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(late(0, 0, "a@1", "b@2"));
            harness.runSlices();

            assertThat(sent(harness)).containsExactly("0/0: a@1 b@2");
            assertThat(rows(harness)).isEmpty();
            RoutedBlock block = harness.extractOutputValues().get(0);
            assertThat(block.choices().outcomes()).containsOnly(LATE);
            assertThat(block.tokens().late()).containsExactly(true, true);
        }
    }

    @Test
    void tokenThatCouldNotBeRoutedPassesWithoutDecisions() throws Exception {
        try (DispatchHarness harness = open()) {
            TokenBlock tokens = undecided(0, 0, "a@1").tokens();
            int[] noExperts = new int[K];
            byte[] failed = new byte[K];
            Arrays.fill(noExperts, -1);
            Arrays.fill(failed, Outcome.FAILED.code());
            harness.send(
                    new RoutedBlock(0, tokens, new Choices(K, noExperts, new float[K], failed)));
            harness.runSlices();

            assertThat(sent(harness)).containsExactly("0/0: a@1");
            assertThat(rows(harness)).isEmpty();
        }
    }

    private static List<String> rows(DispatchHarness harness) {
        return harness.rows().stream().map(DispatchTest::text).toList();
    }

    private static String text(ExpertRows rows) {
        return "expert %d, lane %d, batch %d, choices %s: %s"
                .formatted(
                        rows.expert(),
                        rows.lane(),
                        rows.batch(),
                        Arrays.toString(rows.choices()),
                        Arrays.toString(Floats.toFloats(rows.vectors().toBytes())));
    }

    private static String values(long batch, int... rows) {
        float[][] vectors = new float[rows.length][];
        for (int i = 0; i < rows.length; i++) {
            vectors[i] = vector(batch, rows[i]);
        }
        return Arrays.toString(concat(vectors));
    }

    private static float[] concat(float[]... vectors) {
        float[] all = new float[vectors.length * D];
        for (int i = 0; i < vectors.length; i++) {
            System.arraycopy(vectors[i], 0, all, i * D, D);
        }
        return all;
    }
}
