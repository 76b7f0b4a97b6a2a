// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.ingest;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Origin;
import io.flinkmoe.api.RawRecord;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.Dropless;
import io.flinkmoe.capacity.FirstCome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.config.IngestSettings;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.shared.Lanes;
import io.flinkmoe.testing.OperatorHarnesses;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IngestTest {

    private static final int LANES = 4;
    private static final int BATCH = 3;
    @TempDir private static Path directory;
    private static Configuration options;

    @BeforeAll
    static void writeBundle() {
        options =
                TinyBundle.builder()
                        .inputSize(2)
                        .writeTo(directory.resolve("bundle"))
                        .options()
                        .set(MoeOptions.LANES, LANES)
                        .set(MoeOptions.BATCH_SIZE, BATCH)
                        .set(MoeOptions.BATCH_LINGER, Duration.ofMillis(10));
    }

    @Test
    void emitsABlockWhenItIsFull() throws Exception {
        try (var harness = open(new Dropless())) {
            send(harness, "a", 0, 1, 2, 3);

            assertThat(harness.extractOutputValues()).hasSize(1);
            TokenBlock block = harness.extractOutputValues().get(0);
            assertThat(block.lane()).isEqualTo(Lanes.of("a", LANES));
            assertThat(block.positions()).containsExactly(0, 1, 2);
            assertThat(block.streams()).containsOnly("a");
        }
    }

    @Test
    void emitsTheFullestBlockWhenAllTogetherHaveTooManyTokens() throws Exception {
        IngestSettings settings =
                new IngestSettings(
                        LANES,
                        100,
                        5,
                        Duration.ofMinutes(1),
                        new Dropless().windows(),
                        Duration.ZERO);
        Ingest ingest = new Ingest(InputLayout.vector(2), settings);
        try (var harness = new OneInputStreamOperatorTestHarness<Arrival, TokenBlock>(ingest)) {
            harness.open();
            send(harness, "a", 0);
            send(harness, "b", 0, 1, 2);
            assertThat(harness.extractOutputValues()).isEmpty();

            send(harness, "a", 1);
            assertThat(harness.extractOutputValues())
                    .singleElement()
                    .satisfies(block -> assertThat(block.streams()).containsOnly("b").hasSize(3));
            send(harness, "a", 2, 3, 4);
            assertThat(harness.extractOutputValues())
                    .extracting(TokenBlock::rows)
                    .containsExactly(3, 5);
        }
    }

    @Test
    void emitsAllLanesWhenTheOldestTokenHasLingered() throws Exception {
        try (var harness = open(new Dropless())) {
            harness.setProcessingTime(100);
            send(harness, "a", 0);
            send(harness, "b", 0, 1);
            harness.setProcessingTime(109);
            assertThat(harness.extractOutputValues()).isEmpty();

            harness.setProcessingTime(110);

            assertThat(harness.extractOutputValues())
                    .extracting(TokenBlock::rows)
                    .containsExactlyInAnyOrder(1, 2);
        }
    }

    @Test
    void keepsAWatermarkBehindThePendingTokensAndMergesItWithTheNext() throws Exception {
        try (var harness = open(FirstCome.of(new TumblingWindows(1_000), 1))) {
            harness.processWatermark(0);
            harness.getOutput().clear();
            send(harness, "a", 0);
            harness.processWatermark(100);
            harness.processWatermark(200);
            assertThat(harness.getOutput()).isEmpty();

            harness.setProcessingTime(10);

            assertThat(harness.getOutput()).hasSize(2);
            assertThat(((StreamRecord<?>) harness.getOutput().poll()).getValue())
                    .isInstanceOf(TokenBlock.class);
            assertThat(harness.getOutput().poll()).isEqualTo(new Watermark(200));
        }
    }

    @Test
    void emitsBeforeAWatermarkThatEndsAWindow() throws Exception {
        try (var harness = open(FirstCome.of(new TumblingWindows(1_000), 1))) {
            harness.processWatermark(0);
            send(harness, "a", 0);
            harness.processWatermark(999);

            assertThat(harness.extractOutputValues()).hasSize(1);
            assertThat(harness.getOutput()).endsWith(new Watermark(999));
        }
    }

    @Test
    void forwardsAWatermarkAtOnceWhenNothingIsPending() throws Exception {
        try (var harness = open(new Dropless())) {
            harness.processWatermark(5);
            assertThat(harness.getOutput()).containsExactly(new Watermark(5));
        }
    }

    @Test
    void emitsEverythingBeforeABarrier() throws Exception {
        try (var harness = open(new Dropless())) {
            send(harness, "a", 0);
            send(harness, "b", 0);
            harness.prepareSnapshotPreBarrier(1);
            assertThat(harness.extractOutputValues()).hasSize(2);
        }
    }

    @Test
    void holdsNothingInACheckpointAndGoesOnAfterARestore() throws Exception {
        OperatorSubtaskState snapshot;
        try (var harness = open(new Dropless())) {
            send(harness, "a", 0, 1);
            harness.prepareSnapshotPreBarrier(1);
            snapshot = harness.snapshot(1, 1);
        }
        try (var harness = open(new Dropless(), snapshot)) {
            send(harness, "a", 2, 3, 4);
            assertThat(harness.extractOutputValues()).hasSize(1);
            assertThat(harness.extractOutputValues().get(0).positions()).containsExactly(2, 3, 4);
        }
    }

    @Test
    void emitsEverythingAtTheEnd() throws Exception {
        try (var harness = open(new Dropless())) {
            send(harness, "a", 0);
            harness.endInput();
            harness.getOperator().finish();
            assertThat(harness.extractOutputValues()).hasSize(1);
        }
    }

    @Test
    void endsTheTimeOfASourceThatWasIdleAtTheEnd() throws Exception {
        try (var harness = open(FirstCome.of(new TumblingWindows(1_000), 1))) {
            harness.processWatermarkStatus(WatermarkStatus.IDLE);
            harness.getOutput().clear();
            harness.endInput();
            harness.getOperator().finish();
            assertThat(harness.getOutput())
                    .containsExactly(WatermarkStatus.ACTIVE, Watermark.MAX_WATERMARK);
        }
        try (var harness = open(FirstCome.of(new TumblingWindows(1_000), 1))) {
            harness.processWatermark(Watermark.MAX_WATERMARK);
            harness.getOutput().clear();
            harness.getOperator().finish();
            assertThat(harness.getOutput()).isEmpty();
        }
    }

    @Test
    void emitsEverythingBeforeItGoesIdle() throws Exception {
        try (var harness = open(new Dropless())) {
            send(harness, "a", 0);
            harness.processWatermarkStatus(WatermarkStatus.IDLE);
            assertThat(harness.extractOutputValues()).hasSize(1);
            assertThat(harness.getOutput()).endsWith(WatermarkStatus.IDLE);
        }
    }

    @Test
    void passesDeadLettersToTheirOwnOutput() throws Exception {
        DeadLetter dead =
                DeadLetter.of(
                        new Origin("tokens", 1, 42),
                        RawRecord.of(new byte[] {7}),
                        new Rejection(Rejection.Kind.MALFORMED, "no"));
        try (var harness = open(new Dropless())) {
            harness.processElement(new StreamRecord<>(Arrival.of(dead)));
            assertThat(harness.getOutput()).isEmpty();
            assertThat(harness.getSideOutput(DeadLetter.OUTPUT))
                    .extracting(StreamRecord::getValue)
                    .containsExactly(dead);
        }
    }

    @Test
    void blocksKeepWhereTheirTokensCameFrom() throws Exception {
        Origin origin = new Origin("tokens", 1, 42);
        try (var harness = open(new Dropless())) {
            Token token = new Token("s", 0, 0, new float[2]);
            harness.processElement(new StreamRecord<>(Arrival.of(token, origin)));
            harness.prepareSnapshotPreBarrier(1);

            assertThat(harness.extractOutputValues().get(0).origins()).containsExactly(origin);
        }
    }

    /** Windows of 10 ms; a token may be 5 ms older than the newest of its partition. */
    @Test
    void callsATokenLateByWhatCameBeforeItInItsPartition() throws Exception {
        OperatorSubtaskState state;
        try (var harness = open(FirstCome.of(new TumblingWindows(10), 1))) {
            send(harness, 0, 9, 14, 8);
            assertThat(late(harness)).containsExactly(false, false, false);
            send(harness, 0, 15, 7);
            send(harness, 1, 7);
            assertThat(late(harness)).containsExactly(false, true, false);
            // No watermark has come; one that runs ahead changes nothing.
            harness.processWatermark(1_000);
            send(harness, 1, 8);
            assertThat(late(harness)).endsWith(false);
            state = harness.snapshot(1, 1);
        }
        try (var harness = open(FirstCome.of(new TumblingWindows(10), 1), state)) {
            send(harness, 1, 6);
            send(harness, 0, 6);
            assertThat(late(harness)).containsExactly(false, true);
        }
    }

    @Test
    void judgesNoTokenOfASourceWithoutPartitions() throws Exception {
        try (var harness = open(FirstCome.of(new TumblingWindows(10), 1))) {
            send(harness, "a", 90, 1);
            assertThat(late(harness)).containsExactly(false, false);
        }
    }

    @Test
    void aTokenThatIsBehindItsRecordIsLateAndMovesNoClock() throws Exception {
        Arrival behind = Arrival.behind(new Token("s", 1, 0, new float[2]), new Origin("in", 0, 0));
        try (var harness = open(FirstCome.of(new TumblingWindows(10), 1))) {
            harness.processElement(new StreamRecord<>(behind));
            send(harness, 0, 90);
            harness.processElement(new StreamRecord<>(behind));
            assertThat(late(harness)).containsExactly(true, false, true);
        }
        try (var harness = open(new Dropless())) {
            harness.processElement(new StreamRecord<>(behind));
            assertThat(late(harness)).containsExactly(false);
        }
    }

    private static void send(
            OneInputStreamOperatorTestHarness<Arrival, TokenBlock> harness,
            int partition,
            long... timestamps)
            throws Exception {
        for (long timestamp : timestamps) {
            Token token = new Token("s", timestamp, timestamp, new float[2]);
            harness.processElement(new StreamRecord<>(Arrival.of(token, partition)));
        }
    }

    /** Flushes, and tells of each token since the last call whether it is late. */
    private static List<Boolean> late(
            OneInputStreamOperatorTestHarness<Arrival, TokenBlock> harness) throws Exception {
        harness.prepareSnapshotPreBarrier(1);
        List<Boolean> late = new ArrayList<>();
        for (TokenBlock block : harness.extractOutputValues()) {
            for (int row = 0; row < block.rows(); row++) {
                late.add(block.isLate(row));
            }
        }
        harness.getOutput().clear();
        return late;
    }

    private static OneInputStreamOperatorTestHarness<Arrival, TokenBlock> open(
            Capacity capacity, OperatorSubtaskState... state) throws Exception {
        return OperatorHarnesses.of(options)
                .capacity(capacity)
                .maxOutOfOrderness(Duration.ofMillis(5))
                .restore(state)
                .ingest();
    }

    private static void send(
            OneInputStreamOperatorTestHarness<Arrival, TokenBlock> harness,
            String stream,
            long... positions)
            throws Exception {
        for (long position : positions) {
            Token token = new Token(stream, position, position, new float[] {position, 0});
            harness.processElement(new StreamRecord<>(Arrival.of(token)));
        }
    }
}
