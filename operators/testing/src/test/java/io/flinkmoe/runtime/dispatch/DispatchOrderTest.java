// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import static io.flinkmoe.runtime.dispatch.DispatchBlocks.admitted;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.block;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.decided;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.late;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.output;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.sent;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.undecided;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.DispatchHarness;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** When tokens and watermarks leave a dispatch. */
@ParameterizedClass
@EnumSource
class DispatchOrderTest {

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
    void tokenLeavesWhenAllItsChoicesAreDecided() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1"));
            harness.send(admitted(0, 0, 1));
            harness.processBothWatermarks(new Watermark(10));
            assertThat(sent(harness)).isEmpty();

            harness.send(admitted(0, 0, 0));
            harness.runSlices();
            assertThat(sent(harness)).containsExactly("0/0: a@1");
        }
    }

    @Test
    void tokenLeavesAfterAllEarlierTokensOfItsStream() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1", "a@2"), undecided(0, 1, "a@3"));
            harness.send(admitted(0, 0, 2, 3), admitted(0, 1, 0, 1));
            harness.processBothWatermarks(new Watermark(10));
            assertThat(sent(harness)).isEmpty();

            harness.send(admitted(0, 0, 0, 1));
            harness.runSlices();
            assertThat(sent(harness)).containsExactly("0/0: a@1 a@2", "0/1: a@3");
        }
    }

    @Test
    void reroutedTokenHoldsBackNoOtherStreamAfterAWatermark() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1", "b@2"), undecided(0, 1, "a@3", "c@4"));
            // The first round has passed choice 0 on.
            harness.send(admitted(0, 0, 1, 2, 3), admitted(0, 1, 0, 1, 2, 3));
            harness.processBothWatermarks(new Watermark(10));
            assertThat(sent(harness)).containsExactly("0/0: b@2", "0/1: c@4");

            harness.send(decided(0, 0, 1, Choices.PENDING, 0));
            harness.runSlices();
            assertThat(sent(harness))
                    .containsExactly("0/0: b@2", "0/1: c@4", "0/2: a@1", "0/3: a@3");
        }
    }

    @Test
    void futureDatedTokenHoldsBackNoOtherStreamAfterAWatermark() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@90000000", "b@1"), undecided(0, 1, "b@2"));
            harness.send(admitted(0, 0, 2, 3), admitted(0, 1, 0, 1));
            harness.processBothWatermarks(new Watermark(10));
            assertThat(output(harness))
                    .containsExactly("0/0: b@1", "watermark 1", "0/1: b@2", "watermark 10");
            harness.send(admitted(0, 0, 0, 1));
        }
    }

    @Test
    void undecidedTokenHoldsBackNoOtherLane() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1"), undecided(2, 0, "b@2"));
            harness.send(admitted(2, 0, 0, 1));
            harness.runSlices();
            assertThat(sent(harness)).containsExactly("2/0: b@2");
            harness.send(admitted(0, 0, 0, 1));
        }
    }

    @Test
    void whatLeavesTogetherIsNumberedAnewInEachLaneWithoutGaps() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1", "b@2", "c@3"), undecided(3, 0, "d@1", "e@2"));
            harness.send(admitted(0, 0, 2, 3));
            harness.processBothWatermarks(new Watermark(10));
            harness.send(admitted(0, 0, 4, 5), admitted(3, 0, 2, 3));
            harness.processBothWatermarks(new Watermark(11));
            harness.send(admitted(0, 0, 0, 1), admitted(3, 0, 0, 1));
            harness.runSlices();
            assertThat(sent(harness))
                    .containsExactly("0/0: b@2", "0/1: c@3", "3/0: e@2", "0/2: a@1", "3/1: d@1");
        }
    }

    @Test
    void aBatchWhoseTokensHaveAllLeftOutOfOrderTakesNoNumber() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1"), undecided(0, 1, "b@2"), undecided(0, 2, "c@3"));
            harness.send(admitted(0, 1, 0, 1));
            harness.processBothWatermarks(new Watermark(10));
            harness.send(admitted(0, 2, 0, 1), admitted(0, 0, 0, 1));
            harness.runSlices();
            assertThat(sent(harness)).containsExactly("0/0: b@2", "0/1: a@1", "0/2: c@3");
        }
    }

    @Test
    void watermarkIsHeldJustBelowTheOldestTokenThatWaits() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@5"), undecided(1, 0, "b@7", "c@9"));
            harness.send(admitted(1, 0, 2, 3)); // The timestamp of c does not matter any more.
            harness.processBothWatermarks(new Watermark(10));
            harness.send(admitted(0, 0, 0, 1));
            harness.runSlices();
            harness.send(admitted(1, 0, 0, 1));
            harness.runSlices();
            assertThat(output(harness))
                    .containsExactly(
                            "1/0: c@9",
                            "watermark 4",
                            "0/0: a@5",
                            "watermark 6",
                            "1/1: b@7",
                            "watermark 10");
        }
    }

    /** A token is not late while its window is open, even if the watermark has passed it. */
    @Test
    void watermarkNeverGoesBackForATokenBelowIt() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.processBothWatermarks(new Watermark(10));
            harness.send(undecided(0, 0, "a@5"));
            harness.processBothWatermarks(new Watermark(20));
            assertThat(output(harness)).containsExactly("watermark 10");

            harness.send(admitted(0, 0, 0, 1));
            harness.runSlices();
            assertThat(output(harness)).containsExactly("watermark 10", "0/0: a@5", "watermark 20");
        }
    }

    /** Else the next layer would close no window as long as late tokens come. */
    @Test
    void lateTokenThatWaitsBehindOneOfItsStreamHoldsNoWatermarkBack() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@500"), late(0, 1, "a@5"));
            harness.processBothWatermarks(new Watermark(100));
            assertThat(output(harness)).containsExactly("watermark 100");

            harness.send(admitted(0, 0, 0, 1));
            harness.runSlices();
            assertThat(sent(harness)).containsExactly("0/0: a@500", "0/1: a@5");
        }
    }

    @Test
    void lateTokenWaitsForNoOtherStreamAfterAWatermark() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@500"), late(0, 1, "b@5"));
            harness.processBothWatermarks(new Watermark(100));
            assertThat(output(harness)).containsExactly("0/0: b@5", "watermark 100");
            harness.send(admitted(0, 0, 0, 1));
        }
    }

    @Test
    void lastWatermarkLeavesAsItIs() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@5"));
            harness.processBothWatermarks(Watermark.MAX_WATERMARK);
            harness.send(admitted(0, 0, 0, 1));
            harness.runSlices();
            assertThat(output(harness))
                    .containsExactly("watermark 4", "0/0: a@5", "watermark " + Long.MAX_VALUE);
        }
    }

    @Test
    void decisionsMayComeBeforeTheirVectors() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(
                    block(1, admitted(1, 1, 0, 1).batches()[0], admitted(1, 0, 1).batches()[0]));
            harness.processBothWatermarks(new Watermark(1));
            harness.send(undecided(1, 0, "a@5"));
            harness.runSlices();
            assertThat(output(harness)).containsExactly("watermark 1");

            harness.send(admitted(1, 0, 0));
            harness.runSlices();
            harness.send(undecided(1, 1, "a@6"));
            harness.runSlices();
            assertThat(sent(harness)).containsExactly("1/0: a@5", "1/1: a@6");
        }
    }

    @Test
    void batchWaitsForAnEarlierOneThatComesLater() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(undecided(0, 0, "a@1"), undecided(0, 2, "a@3", "b@3"));
            harness.send(admitted(0, 0, 0, 1), admitted(0, 2, 0, 1, 2, 3));
            harness.processBothWatermarks(new Watermark(1));
            assertThat(sent(harness)).containsExactly("0/0: a@1");

            harness.send(undecided(0, 1, "a@2"));
            harness.send(admitted(0, 1, 0, 1));
            harness.runSlices();
            assertThat(sent(harness)).containsExactly("0/0: a@1", "0/1: a@2", "0/2: a@3 b@3");
        }
    }

    /** As after a capacity has been added to a job with state: the combine expects that number. */
    @Test
    void numbersOfALaneStartAtThatOfItsFirstBatch() throws Exception {
        try (DispatchHarness harness = open()) {
            harness.send(admitted(0, 7, 2, 3));
            harness.processBothWatermarks(new Watermark(1));
            harness.send(undecided(0, 7, "a@5", "b@6"), undecided(0, 8, "a@7"));
            harness.send(undecided(1, 0, "c@8"));
            harness.processBothWatermarks(new Watermark(10));
            harness.send(admitted(0, 8, 0, 1), admitted(0, 7, 0, 1), admitted(1, 0, 0, 1));
            harness.runSlices();
            assertThat(sent(harness))
                    .containsExactly("0/7: b@6", "0/8: a@5", "1/0: c@8", "0/9: a@7");
        }
    }
}
