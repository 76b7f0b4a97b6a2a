// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import static io.flinkmoe.runtime.dispatch.DispatchBlocks.LANES;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.entries;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.kill;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.DecisionBlock.OfBatch;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.testing.DispatchHarness;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random orders of vectors, decisions, watermarks, slices, checkpoints, and failures after which a
 * dispatch goes on from its last checkpoint at another parallelism.
 */
class DispatchRandomTest {

    private static final int SEEDS = 400;
    private static final EvenKeys KEYS = new EvenKeys(LANES);

    @TempDir private Path directory;

    @Test
    void everyTokenLeavesOnceAndInTheOrderOfItsStreamWhateverHappens() throws Exception {
        Configuration options = DispatchBlocks.options(directory);
        for (int seed = 0; seed < SEEDS; seed++) {
            try {
                new Simulation(OperatorHarnesses.of(options), new Random(seed)).run();
            } catch (Exception | AssertionError e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    /** A subtask, and the watermarks that it has received and sent since it started. */
    private static final class Subtask {
        final DispatchHarness harness;
        final List<Integer> lanes = new ArrayList<>();
        long inputWatermark = Long.MIN_VALUE;
        long outputWatermark = Long.MIN_VALUE;

        Subtask(DispatchHarness harness, int index, int parallelism) {
            this.harness = harness;
            for (int lane = 0; lane < LANES; lane++) {
                if (KEYS.subtaskOf(lane, parallelism) == index) {
                    lanes.add(lane);
                }
            }
        }
    }

    /** From where to go on after a failure. */
    private record Checkpoint(OperatorSubtaskState[] states, int position, DispatchOracle oracle) {}

    private static final class Simulation {
        private final OperatorHarnesses harnesses;
        private final Random random;
        private final List<Object> events;
        private final List<Subtask> subtasks = new ArrayList<>();
        private DispatchOracle oracle;
        private Checkpoint last;
        private int position;

        Simulation(OperatorHarnesses harnesses, Random random) {
            this.harnesses = harnesses;
            this.random = random;
            RandomInput input = new RandomInput(random);
            events = input.events();
            oracle = new DispatchOracle(input);
            last = new Checkpoint(new OperatorSubtaskState[0], 0, oracle.copy());
        }

        void run() throws Exception {
            start();
            int failures = random.nextInt(3);
            while (position < events.size()) {
                send(events.get(position++));
                switch (random.nextInt(8)) {
                    case 0, 1, 2 -> runSomeSlices();
                    case 3 -> runAllSlices();
                    case 4 -> takeCheckpoint();
                    case 5 -> {
                        if (failures-- > 0) {
                            if (random.nextBoolean()) {
                                takeCheckpoint();
                            }
                            fail();
                        }
                    }
                    default -> {}
                }
            }
            end();
        }

        private void start() throws Exception {
            int parallelism = 1 + random.nextInt(3);
            for (int index = 0; index < parallelism; index++) {
                DispatchHarness harness =
                        harnesses.subtask(index, parallelism).restore(last.states()).dispatch(0);
                subtasks.add(new Subtask(harness, index, parallelism));
            }
        }

        private void send(Object event) throws Exception {
            for (Subtask subtask : subtasks) {
                DispatchHarness harness = subtask.harness;
                if (event instanceof Watermark watermark) {
                    subtask.inputWatermark = watermark.getTimestamp();
                    harness.startWatermark(watermark.getTimestamp());
                } else if (event instanceof RoutedBlock block) {
                    if (subtask.lanes.contains(block.tokens().lane())) {
                        oracle.arrive(block);
                        harness.send(block);
                    }
                } else if (event instanceof DecisionBlock block) {
                    if (subtask.lanes.contains(block.lane())) {
                        for (OfBatch decisions : block.batches()) {
                            oracle.decide(block.lane(), decisions);
                        }
                        harness.send(block);
                    }
                }
                check(subtask);
            }
            if (event instanceof Watermark && random.nextBoolean()) {
                runAllSlices();
                subtasks.forEach(this::checkNothingMayLeave);
            }
        }

        private void runSomeSlices() throws Exception {
            Subtask subtask = subtasks.get(random.nextInt(subtasks.size()));
            for (int slices = 1 + random.nextInt(3); slices > 0; slices--) {
                subtask.harness.runSlice();
            }
            check(subtask);
        }

        private void runAllSlices() throws Exception {
            for (Subtask subtask : subtasks) {
                subtask.harness.runSlices();
                check(subtask);
                subtask.lanes.forEach(oracle::assertFirstBatchMayNotLeave);
            }
        }

        private void takeCheckpoint() throws Exception {
            if (position == events.size()) {
                return; // After a failure, nothing would send the last watermark again.
            }
            OperatorSubtaskState[] states = new OperatorSubtaskState[subtasks.size()];
            for (int index = 0; index < states.length; index++) {
                states[index] = subtasks.get(index).harness.snapshot(position, position);
            }
            last = new Checkpoint(states, position, oracle.copy());
        }

        private void fail() throws Exception {
            for (Subtask subtask : subtasks) {
                kill(subtask.harness);
            }
            subtasks.clear();
            oracle = last.oracle().copy();
            position = last.position();
            start();
            if (random.nextBoolean()) { // What may leave leaves without new input.
                runAllSlices();
                subtasks.forEach(this::checkNothingMayLeave);
            }
        }

        private void end() throws Exception {
            for (Subtask subtask : subtasks) {
                subtask.harness.getOperator().finish();
                check(subtask);
                assertThat(subtask.outputWatermark).isEqualTo(Long.MAX_VALUE);
                assertThat(entries(subtask.harness, "vectors")).isZero();
                assertThat(entries(subtask.harness, "choices")).isZero();
                subtask.harness.close();
            }
            oracle.assertAllHaveLeft();
        }

        /** Compares what a subtask has sent since the last check with the oracle. */
        private void check(Subtask subtask) {
            List<String> rows = new ArrayList<>();
            Queue<Object> output = subtask.harness.getOutput();
            for (Object element = output.poll(); element != null; element = output.poll()) {
                assertThat(subtask.outputWatermark).isLessThan(Long.MAX_VALUE);
                if (element instanceof Watermark watermark) {
                    checkWatermark(subtask, watermark.getTimestamp());
                } else {
                    rows.addAll(oracle.leave((RoutedBlock) ((StreamRecord<?>) element).getValue()));
                }
            }
            List<String> sent = new ArrayList<>();
            Queue<StreamRecord<ExpertRows>> toExperts =
                    subtask.harness.getSideOutput(ExpertRows.OUTPUT);
            while (toExperts != null && !toExperts.isEmpty()) {
                sent.addAll(DispatchOracle.texts(toExperts.poll().getValue()));
            }
            assertThat(sent).isEqualTo(rows);
        }

        private void checkWatermark(Subtask subtask, long watermark) {
            assertThat(watermark).isGreaterThan(subtask.outputWatermark);
            assertThat(watermark)
                    .isLessThanOrEqualTo(Math.min(subtask.inputWatermark, limit(subtask)));
            subtask.outputWatermark = watermark;
        }

        private void checkNothingMayLeave(Subtask subtask) {
            subtask.lanes.forEach(oracle::assertNothingMayLeave);
            assertThat(subtask.outputWatermark)
                    .as("the watermark is held only as far as it must")
                    .isGreaterThanOrEqualTo(Math.min(subtask.inputWatermark, limit(subtask)));
        }

        /** Just before the oldest waiting token that is not late. */
        private long limit(Subtask subtask) {
            long oldest = Long.MAX_VALUE;
            for (int lane : subtask.lanes) {
                oldest = Math.min(oldest, oracle.oldest(lane));
            }
            return oldest == Long.MAX_VALUE ? oldest : oldest - 1;
        }
    }
}
