// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import static io.flinkmoe.runtime.router.RouterBlocks.MAX_ROWS;
import static io.flinkmoe.runtime.router.RouterBlocks.N;
import static io.flinkmoe.runtime.router.RouterBlocks.block;
import static io.flinkmoe.runtime.router.RouterBlocks.row;
import static io.flinkmoe.runtime.router.RouterBlocks.token;
import static org.assertj.core.api.Assertions.as;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static org.assertj.core.api.InstanceOfAssertFactories.STRING;

import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Origin;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import io.flinkmoe.testing.RouterHarness;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource
class RouterTest {

    @Parameter private Backend backend;
    @TempDir private static Path directory;
    private static Bundle bundle;

    @BeforeAll
    static void writeBundle() {
        bundle = NumberedBundle.write(directory.resolve("bundle"), N, 2, 1);
    }

    @Test
    void sendsEachTokenToItsTwoMostProbableExperts() throws Exception {
        try (var harness = open(bundle)) {
            float[] first = {0, 3, 2, 0};
            float[] second = {1, 0, 4, 0};
            harness.send(block(0, new long[] {10, 20}, first, second));

            List<ExpertRows> dispatched = harness.rows();
            assertThat(dispatched).extracting(ExpertRows::expert).containsExactly(0, 1, 2);
            assertThat(dispatched.get(0).choices()).containsExactly(3);
            assertThat(dispatched.get(1).choices()).containsExactly(0);
            assertThat(dispatched.get(2).choices()).containsExactly(1, 2);
            assertThat(Floats.toFloats(dispatched.get(2).vectors().toBytes()))
                    .containsExactly(0, 3, 2, 0, 1, 0, 4, 0);

            RoutedBlock residual = harness.routed().get(0);
            assertThat(residual.choices().experts()).containsExactly(1, 2, 2, 0);
            assertThat(residual.choices().outcomes()).containsOnly(Choices.PENDING);
            assertThat(residual.choices().weights()[0] + residual.choices().weights()[1])
                    .isEqualTo(1f);
            assertThat(Floats.toFloats(residual.tokens().vectors()))
                    .containsExactly(0, 3, 2, 0, 1, 0, 4, 0);
        }
    }

    @Test
    void numbersTheBatchesOfALaneOverRestoresAndRescaling() throws Exception {
        OperatorSubtaskState one;
        try (var harness = open(bundle)) {
            harness.send(token(0), token(3), token(3));
            one = harness.snapshot(1, 1);
        }
        OperatorSubtaskState low;
        try (var harness = restore(2, 0, one)) {
            harness.send(token(0));
            assertThat(harness.routed()).extracting(RoutedBlock::batch).containsExactly(1L);
            low = harness.snapshot(2, 2);
        }
        OperatorSubtaskState high;
        try (var harness = restore(2, 1, one)) {
            harness.send(token(3));
            assertThat(harness.routed()).extracting(RoutedBlock::batch).containsExactly(2L);
            high = harness.snapshot(2, 2);
        }
        try (var harness = restore(1, 0, low, high)) {
            harness.send(token(0), token(3), token(1));
            assertThat(harness.routed()).extracting(RoutedBlock::batch).containsExactly(2L, 3L, 0L);
        }
    }

    @Test
    void refusesStateOfAnotherNumberOfLanes() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open(bundle)) {
            harness.send(token(0));
            state = harness.snapshot(1, 1);
        }
        Configuration options = RouterBlocks.options(bundle).set(MoeOptions.LANES, 8);
        OperatorHarnesses other =
                OperatorHarnesses.of(options).stateBackend(backend.make()).restore(state);
        assertThatThrownBy(() -> other.router(0))
                .hasMessageContaining("moe.lanes is 8, but the checkpoint was written with 4");
    }

    @Test
    void aTokenThatIsNotReadableDoesNotFailTheJobThoughTheModelReadsNoZerosEither(@TempDir Path own)
            throws Exception {
        Bundle strict = NumberedBundle.writeWithStricterEncoder(own.resolve("stricter"), N, 2);
        try (var harness = open(strict)) {
            harness.send(block(0, new long[2], new float[N], new float[] {1, 3, 2, 0}));

            assertThat(harness.getSideOutput(DeadLetter.OUTPUT))
                    .extracting(record -> record.getValue().reason())
                    .singleElement(as(STRING))
                    .startsWith("the model cannot read position 0 of stream s: ");
            assertThat(harness.routed().get(0).tokens().positions()).containsExactly(1);
        }
    }

    @Test
    void aModelThatReadsNothingFailsTheJobThoughNotAtTheFirstToken(@TempDir Path own)
            throws Exception {
        Bundle strict = NumberedBundle.writeWithStricterEncoder(own.resolve("stricter"), N, 2);
        try (var harness = open(strict)) {
            for (int token = 1; token < 1_000; token++) {
                harness.send(block(0, new long[1], new float[N]));
            }
            assertThat(harness.getSideOutput(DeadLetter.OUTPUT)).hasSize(999);
            assertThatThrownBy(() -> harness.send(block(0, new long[1], new float[N])))
                    .hasMessageContaining("fails on every input, the first 1000 tokens and zeros");
        }
    }

    @Test
    void marksATokenFailedWhoseLogitsAreNotFinite() throws Exception {
        try (var harness = open(bundle)) {
            harness.send(block(0, new long[] {0, 1}, new float[] {Float.NaN, 0, 0, 0}, row()));
            Choices choices = harness.routed().get(0).choices();
            assertThat(choices.outcomes())
                    .containsExactly(
                            Outcome.FAILED.code(),
                            Outcome.FAILED.code(),
                            Choices.PENDING,
                            Choices.PENDING);
            assertThat(choices.experts()).startsWith(-1, -1);
            assertThat(harness.rows()).hasSize(2);
        }
    }

    @Test
    void rejectsTheTokensThatTheEncoderThrowsAtAndRoutesTheOthers(@TempDir Path own)
            throws Exception {
        Bundle strict = NumberedBundle.writeWithStrictEncoder(own.resolve("strict"), N, 2);
        try (var harness = open(strict)) {
            float[] unknown = {N, 0, 0, 0};
            Origin origin = new Origin("tokens", 3, 42);
            harness.send(
                    withOrigins(
                            block(0, new long[] {1, 2, 3}, row(1), unknown, row(2)),
                            Origin.UNKNOWN,
                            origin,
                            Origin.UNKNOWN));
            assertThat(harness.routed())
                    .extracting(RoutedBlock::batch, block -> block.tokens().timestamps()[0])
                    .containsExactly(tuple(0L, 1L), tuple(1L, 3L));
            assertThat(harness.getSideOutput(DeadLetter.OUTPUT)).hasSize(1);
            DeadLetter letter = harness.getSideOutput(DeadLetter.OUTPUT).peek().getValue();
            assertThat(letter.reason()).contains("position 1 of stream s");
            assertThat(letter.token().values()).isEqualTo(unknown);
            assertThat(letter.origin()).isEqualTo(origin);
        }
    }

    private static TokenBlock withOrigins(TokenBlock block, Origin... origins) {
        return new TokenBlock(
                block.lane(),
                block.streams(),
                block.positions(),
                block.timestamps(),
                block.late(),
                origins,
                block.vectors(),
                block.strings(),
                block.payloads(),
                block.layers());
    }

    @Test
    void routesABlockThatIsLargerThanItsBuffersInParts() throws Exception {
        try (var harness = open(bundle)) {
            float[][] rows = new float[MAX_ROWS + 1][];
            Arrays.fill(rows, row());
            harness.send(block(0, new long[MAX_ROWS + 1], rows));
            assertThat(harness.routed())
                    .extracting(block -> block.tokens().rows())
                    .containsExactly(MAX_ROWS, 1);
        }
    }

    private RouterHarness open(Bundle other) throws Exception {
        return OperatorHarnesses.of(RouterBlocks.options(other))
                .stateBackend(backend.make())
                .router(0);
    }

    private RouterHarness restore(int parallelism, int subtask, OperatorSubtaskState... states)
            throws Exception {
        return OperatorHarnesses.of(RouterBlocks.options(bundle))
                .stateBackend(backend.make())
                .subtask(subtask, parallelism)
                .restore(states)
                .router(0);
    }
}
