// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.block.AdmissionInputSerializer;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.NumberedBundle;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.OperatorSnapshotUtil;
import org.apache.flink.util.OutputTag;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The state of each operator in the middle of a window, from a file: what it emits from there on
 * must be what it emits without a break.
 */
class OperatorSnapshotFilesTest {

    private static final int N = 4;
    private static final int K = 2;
    private static final long WINDOW = 60_000;
    private static final Capacity HALF =
            AtWindowClose.of(
                    new TumblingWindows(WINDOW),
                    CapacityFormula.vmoe(0.5),
                    AdmissionOrder.TOKEN_PRIORITY);
    @TempDir private Path directory;
    private Configuration options;

    /** Something done to an operator. */
    private interface Step<H> {
        void on(H harness) throws Exception;
    }

    /** Opens an operator. */
    private interface Maker<H> {
        H open(OperatorHarnesses harnesses) throws Exception;
    }

    @BeforeEach
    void writeBundle() {
        Bundle bundle = NumberedBundle.write(directory.resolve("bundle"), N, K, 1);
        options =
                new Configuration()
                        .set(MoeOptions.BUNDLE, bundle.directory().toString())
                        .set(MoeOptions.LANES, 4)
                        .set(MoeOptions.BATCH_SIZE, 16)
                        .set(MoeOptions.EXPERT_BATCH_SIZE, 3)
                        .set(MoeOptions.EXPERT_BATCH_LINGER, Duration.ofMillis(5));
    }

    @Test
    void aRouterGoesOnFromItsFile() throws Exception {
        goesOn(
                "Router",
                harnesses -> harnesses.router(0),
                harness -> {
                    harness.send(tokens(1, 0, 59_999, 60_000));
                    harness.send(tokens(3, 7));
                    harness.processWatermark(5);
                },
                harness -> {
                    harness.send(tokens(1, 8));
                    harness.send(tokens(2, 9));
                    harness.processWatermark(WINDOW - 1);
                    harness.send(tokens(3, 10, WINDOW));
                    harness.processWatermark(2 * WINDOW);
                });
    }

    @Test
    void anAdmissionGoesOnFromItsFile() throws Exception {
        goesOn(
                "Admission",
                harnesses -> harnesses.admission(0),
                harness -> {
                    harness.send(candidates(1, 0, 1, 5, WINDOW));
                    harness.send(candidates(2, 0, 9));
                    harness.send(new WindowTokens(1, 0, 0, 2));
                    harness.processWatermark(5);
                },
                harness -> {
                    harness.send(candidates(1, 1, 2, 3));
                    harness.send(new WindowTokens(1, 1, 0, 3));
                    harness.send(new WindowTokens(2, 0, 0, 4));
                    harness.processWatermark(WINDOW - 1);
                    harness.send(candidates(1, 2, 4, WINDOW + 1));
                    harness.send(new WindowTokens(1, 1, WINDOW, 4));
                    harness.processWatermark(2 * WINDOW);
                });
    }

    @Test
    void aDispatchGoesOnFromItsFile() throws Exception {
        goesOn(
                "Dispatch",
                harnesses -> harnesses.dispatch(0),
                harness -> {
                    harness.send(routed(1, 0, 0, 1));
                    harness.send(routed(1, 1, 2));
                    harness.send(admitted(1, 0, 0, 2, 3));
                    harness.send(admitted(1, 2, 0));
                    harness.processBothWatermarks(new Watermark(5));
                },
                harness -> {
                    harness.send(admitted(1, 1, 0, 1));
                    harness.send(admitted(1, 0, 1));
                    harness.send(routed(1, 2, 3));
                    harness.send(admitted(1, 2, 1));
                    harness.processBothWatermarks(new Watermark(WINDOW));
                });
    }

    @Test
    void anExpertGoesOnFromItsFile() throws Exception {
        goesOn(
                "Expert",
                harnesses -> harnesses.expert(0),
                harness -> {
                    harness.send(rows(1, 0, 2));
                    harness.send(rows(2, 0, 1));
                },
                harness -> {
                    harness.send(rows(1, 1, 1));
                    harness.send(rows(2, 2, 1));
                    harness.setProcessingTime(1_000);
                });
    }

    @Test
    void aCombineGoesOnFromItsFile() throws Exception {
        goesOn(
                "Combine",
                harnesses -> harnesses.combine(0),
                harness -> {
                    harness.send(routed(1, 0, 0, 1));
                    harness.send(routed(1, 1, 2));
                    harness.send(answer(1, 0, 0, 2, 3));
                    harness.send(answer(1, 2, 0));
                    harness.processBothWatermarks(new Watermark(5));
                },
                harness -> {
                    harness.send(answer(1, 1, 0, 1));
                    harness.send(answer(1, 0, 1));
                    harness.send(routed(1, 2, 3));
                    harness.send(answer(1, 2, 1));
                    harness.processBothWatermarks(new Watermark(WINDOW));
                });
    }

    private <H extends AbstractStreamOperatorTestHarness<?>> void goesOn(
            String operator, Maker<H> maker, Step<H> before, Step<H> after) throws Exception {
        Path file = SnapshotFiles.file(operator + ".operator");
        List<?> unbroken;
        try (H harness = maker.open(harnesses())) {
            before.on(harness);
            if (SnapshotFiles.WRITE) {
                Files.createDirectories(file.getParent());
                OperatorSnapshotUtil.writeStateHandle(harness.snapshot(1, 1), file.toString());
            } else {
                harness.snapshot(1, 1); // It makes operators emit what they have at hand.
            }
            takeRecords(harness);
            after.on(harness);
            unbroken = takeRecords(harness);
        }
        OperatorSubtaskState state = OperatorSnapshotUtil.readStateHandle(file.toString());
        try (H harness = maker.open(harnesses().restore(state))) {
            after.on(harness);
            SerializersTest.assertSame(takeRecords(harness), unbroken);
        }
        assertThat(unbroken).isNotEmpty();
    }

    /**
     * What was emitted since the last call, side outputs last; no watermarks: they are no state.
     */
    private static List<Object> takeRecords(AbstractStreamOperatorTestHarness<?> harness) {
        List<Object> records = new ArrayList<>(harness.extractOutputValues());
        harness.getOutput().clear();
        for (OutputTag<?> tag :
                List.of(
                        ExpertRows.OUTPUT,
                        AdmissionInputSerializer.OUTPUT,
                        WindowSummary.SUMMARIES)) {
            Queue<? extends StreamRecord<?>> side = harness.getSideOutput(tag);
            if (side != null) {
                side.forEach(record -> records.add(record.getValue()));
                side.clear();
            }
        }
        return records;
    }

    private OperatorHarnesses harnesses() throws Exception {
        return OperatorHarnesses.of(options).capacity(HALF);
    }

    private static TokenBlock tokens(int lane, long... timestamps) {
        int rows = timestamps.length;
        String[] streams = new String[rows];
        long[] positions = new long[rows];
        for (int row = 0; row < rows; row++) {
            streams[row] = "stream-" + lane;
            positions[row] = timestamps[row];
        }
        return new TokenBlock(lane, streams, positions, timestamps, vectors(rows), new Choices[0]);
    }

    /** Rows whose choices are of rank 0. */
    private static ExpertRows rows(int expert, long batch, int rows) {
        int[] choices = new int[rows];
        Arrays.setAll(choices, row -> row * K);
        return new ExpertRows(expert, 1, batch, choices, Vectors.of(vectors(rows)));
    }

    /** Choices of rank 0. */
    private static CandidateBlock candidates(int expert, long batch, long... timestamps) {
        int rows = timestamps.length;
        int[] choices = new int[rows];
        Priorities priorities = Priorities.ofRows(rows, 1, false);
        for (int row = 0; row < rows; row++) {
            choices[row] = row * K;
            priorities.streams()[row] = "s";
            priorities.positions()[row] = timestamps[row];
            priorities.topScores()[row] = 0.5f + row;
            priorities.scores()[row] = 0.5f;
        }
        return new CandidateBlock(expert, 1, batch, 0, choices, timestamps, priorities);
    }

    private static DecisionBlock admitted(int lane, long batch, int... choices) {
        byte[] outcomes = new byte[choices.length];
        Arrays.fill(outcomes, Choices.PENDING);
        return new DecisionBlock(
                lane,
                new DecisionBlock.OfBatch[] {
                    new DecisionBlock.OfBatch(batch, 0, choices, outcomes, DecisionBlock.NO_WEIGHTS)
                });
    }

    /** Tokens that have asked experts 0 and 1. */
    private static RoutedBlock routed(int lane, long batch, long... timestamps) {
        int choices = timestamps.length * K;
        int[] experts = new int[choices];
        float[] weights = new float[choices];
        byte[] outcomes = new byte[choices];
        for (int i = 0; i < choices; i++) {
            experts[i] = i % K;
            weights[i] = 0.5f;
        }
        Arrays.fill(outcomes, Choices.PENDING);
        return new RoutedBlock(
                batch, tokens(lane, timestamps), new Choices(K, experts, weights, outcomes));
    }

    /** Executed choices. */
    private static ContributionBlock answer(int lane, long batch, int... choices) {
        return new ContributionBlock(
                lane,
                batch,
                choices,
                new byte[choices.length],
                Vectors.of(vectors(choices.length)));
    }

    private static byte[] vectors(int rows) {
        float[] values = new float[rows * N];
        for (int i = 0; i < values.length; i++) {
            values[i] = (i * 7 % 5) / 4f;
        }
        return Floats.toBytes(values);
    }
}
