package io.flinkmoe.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.RouterSettings;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.ExpertInputSerializer;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.ResidualBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.combine.Combine;
import io.flinkmoe.runtime.expert.ExpertHarness;
import io.flinkmoe.runtime.router.Router;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.tensor.Floats;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.streaming.util.KeyedTwoInputStreamOperatorTestHarness;
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
    private static final EvenKeys LANES = new EvenKeys(4);
    private static final EvenKeys EXPERTS = new EvenKeys(N);
    private static final Capacity HALF =
            Capacity.prioritized(
                    new TumblingWindows(WINDOW),
                    CapacityFormula.vmoe(0.5),
                    AdmissionOrder.TOKEN_PRIORITY);

    @TempDir private Path directory;
    private LocalBundle bundle;

    /** Something done to an operator. */
    private interface Step<H> {
        void on(H harness) throws Exception;
    }

    /** Makes an operator that is neither restored nor open yet. */
    private interface Maker<H> {
        H make() throws Exception;
    }

    @BeforeEach
    void writeBundle() {
        Bundle written = TinyBundle.write(directory.resolve("bundle"), N, K, 1);
        bundle = new LocalBundle(written.directory().toString(), written.spec().version());
    }

    @Test
    void aRouterGoesOnFromItsFile() throws Exception {
        goesOn(
                "Router",
                this::router,
                harness -> {
                    harness.processElement(new StreamRecord<>(tokens(1, 0, 59_999, 60_000)));
                    harness.processElement(new StreamRecord<>(tokens(3, 7)));
                    harness.processWatermark(5);
                },
                harness -> {
                    harness.processElement(new StreamRecord<>(tokens(1, 8)));
                    harness.processElement(new StreamRecord<>(tokens(2, 9)));
                    harness.processWatermark(WINDOW - 1);
                    harness.processElement(new StreamRecord<>(tokens(3, 10, WINDOW)));
                    harness.processWatermark(2 * WINDOW);
                });
    }

    @Test
    void anExpertGoesOnFromItsFile() throws Exception {
        goesOn(
                "Expert",
                this::expert,
                harness -> {
                    harness.processElement(input(dispatched(1, 0, 1, 5, WINDOW)));
                    harness.processElement(input(dispatched(2, 0, 9)));
                    harness.processElement(input(new WindowTokens(1, 0, 0, 2)));
                    harness.processWatermark(5);
                },
                harness -> {
                    harness.processElement(input(dispatched(1, 1, 2, 3)));
                    harness.processElement(input(new WindowTokens(1, 1, 0, 3)));
                    harness.processElement(input(new WindowTokens(2, 0, 0, 4)));
                    harness.processWatermark(WINDOW - 1);
                    harness.processElement(input(dispatched(1, 2, 4, WINDOW + 1)));
                    harness.processElement(input(new WindowTokens(1, 1, WINDOW, 4)));
                    harness.processWatermark(2 * WINDOW);
                });
    }

    @Test
    void aCombineGoesOnFromItsFile() throws Exception {
        goesOn(
                "Combine",
                this::combine,
                harness -> {
                    harness.processElement1(new StreamRecord<>(residuals(1, 0, 0, 1)));
                    harness.processElement1(new StreamRecord<>(residuals(1, 1, 2)));
                    harness.processElement2(new StreamRecord<>(answer(1, 0, 0, 2, 3)));
                    harness.processElement2(new StreamRecord<>(answer(1, 2, 0)));
                    harness.processBothWatermarks(new Watermark(5));
                },
                harness -> {
                    harness.processElement2(new StreamRecord<>(answer(1, 1, 0, 1)));
                    harness.processElement2(new StreamRecord<>(answer(1, 0, 1)));
                    harness.processElement1(new StreamRecord<>(residuals(1, 2, 3)));
                    harness.processElement2(new StreamRecord<>(answer(1, 2, 1)));
                    harness.processBothWatermarks(new Watermark(WINDOW));
                });
    }

    private static <H extends AbstractStreamOperatorTestHarness<?>> void goesOn(
            String operator, Maker<H> maker, Step<H> before, Step<H> after) throws Exception {
        Path file = SnapshotFiles.file(operator + ".operator");
        List<?> unbroken;
        try (H harness = maker.make()) {
            harness.open();
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
        try (H harness = maker.make()) {
            harness.initializeState(OperatorSnapshotUtil.readStateHandle(file.toString()));
            harness.open();
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
        for (OutputTag<?> tag : List.of(Router.RESIDUALS, WindowSummary.SUMMARIES)) {
            Queue<? extends StreamRecord<?>> side = harness.getSideOutput(tag);
            if (side != null) {
                side.forEach(record -> records.add(record.getValue()));
                side.clear();
            }
        }
        return records;
    }

    private KeyedOneInputStreamOperatorTestHarness<Integer, TokenBlock, ExpertInput> router()
            throws Exception {
        var harness =
                new KeyedOneInputStreamOperatorTestHarness<>(
                        new Router(bundle, 0, 16, LANES, RouterSettings.of(HALF)),
                        (TokenBlock block) -> LANES.keyOf(block.lane()),
                        Types.INT,
                        LANES.maxParallelism(),
                        1,
                        0);
        harness.setup(new ExpertInputSerializer());
        return harness;
    }

    private KeyedOneInputStreamOperatorTestHarness<Integer, ExpertInput, ContributionBlock> expert()
            throws Exception {
        KeyedOneInputStreamOperatorTestHarness<Integer, ExpertInput, ContributionBlock> harness =
                new KeyedOneInputStreamOperatorTestHarness<>(
                        ExpertHarness.expert(bundle, 0, EXPERTS, HALF, MoeOptions.OnError.FAIL),
                        (ExpertInput input) -> EXPERTS.keyOf(input.expert()),
                        Types.INT,
                        EXPERTS.maxParallelism(),
                        1,
                        0);
        harness.setup(new ContributionBlock.Serializer());
        return harness;
    }

    private KeyedTwoInputStreamOperatorTestHarness<
                    Integer, ResidualBlock, ContributionBlock, TokenBlock>
            combine() throws Exception {
        return new KeyedTwoInputStreamOperatorTestHarness<>(
                new Combine(0, N, LANES, HALF),
                (ResidualBlock block) -> LANES.keyOf(block.tokens().lane()),
                (ContributionBlock block) -> LANES.keyOf(block.lane()),
                Types.INT,
                LANES.maxParallelism(),
                1,
                0);
    }

    private static StreamRecord<ExpertInput> input(ExpertInput input) {
        return new StreamRecord<>(input);
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
    private static DispatchBlock dispatched(int expert, long batch, long... timestamps) {
        int rows = timestamps.length;
        int[] choices = new int[rows];
        Priorities priorities = Priorities.ofRows(rows, 1);
        for (int row = 0; row < rows; row++) {
            choices[row] = row * K;
            priorities.streams()[row] = "s";
            priorities.positions()[row] = timestamps[row];
            priorities.topScores()[row] = 0.5f + row;
            priorities.scores()[row] = 0.5f;
        }
        return new DispatchBlock(
                expert, 1, batch, 0, choices, timestamps, priorities, Vectors.of(vectors(rows)));
    }

    /** Tokens that have asked experts 0 and 1. */
    private static ResidualBlock residuals(int lane, long batch, long... timestamps) {
        int choices = timestamps.length * K;
        int[] experts = new int[choices];
        float[] weights = new float[choices];
        byte[] outcomes = new byte[choices];
        for (int i = 0; i < choices; i++) {
            experts[i] = i % K;
            weights[i] = 0.5f;
        }
        Arrays.fill(outcomes, Choices.PENDING);
        return new ResidualBlock(
                batch, tokens(lane, timestamps), new Choices(K, experts, weights, outcomes));
    }

    /** Executed choices. */
    private static ContributionBlock answer(int lane, long batch, int... choices) {
        return new ContributionBlock(
                lane,
                batch,
                0,
                choices,
                new byte[choices.length],
                new float[0],
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
