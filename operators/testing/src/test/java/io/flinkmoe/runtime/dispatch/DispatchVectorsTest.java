// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import static io.flinkmoe.runtime.dispatch.DispatchBlocks.admitted;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.entries;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.kill;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.sent;
import static io.flinkmoe.runtime.dispatch.DispatchBlocks.undecided;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.runtime.ReportedMetrics;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.shared.EvenKeys;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.DispatchHarness;
import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.testing.OperatorHarnesses;
import io.flinkmoe.testing.TinyBundle;
import java.nio.file.Path;
import java.util.Random;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.state.KeyedStateBackend;
import org.apache.flink.runtime.state.StateBackend;
import org.apache.flink.state.rocksdb.EmbeddedRocksDBStateBackend;
import org.apache.flink.state.rocksdb.RocksDBNativeMetricOptions;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How often a dispatch writes and reads vectors, which are nearly all of its state. */
class DispatchVectorsTest {

    private static final int WIDTH = 10_000;
    private static final int VECTOR_BYTES = WIDTH * Float.BYTES;

    @TempDir private static Path directory;
    private static Configuration options;

    @BeforeAll
    static void writeBundle() {
        options =
                TinyBundle.builder()
                        .inputSize(1)
                        .hiddenSize(WIDTH)
                        .outputSize(1)
                        .experts(FixedExperts.constant(0))
                        .writeTo(directory.resolve("bundle"))
                        .options()
                        .set(MoeOptions.LANES, DispatchBlocks.LANES);
    }

    private static RoutedBlock wide(RoutedBlock block) {
        byte[] vectors = new byte[block.tokens().rows() * VECTOR_BYTES];
        new Random(block.tokens().lane()).nextBytes(vectors); // They do not compress.
        return new RoutedBlock(block.batch(), block.tokens().withVectors(vectors), block.choices());
    }

    @Test
    void neitherDecisionsNorTokensThatLeaveReplaceTheVectorsInState() throws Exception {
        try (DispatchHarness harness =
                OperatorHarnesses.of(options).stateBackend(Backend.HEAP.make()).dispatch(0)) {
            RoutedBlock block = wide(undecided(0, 0, "a@1", "b@2"));
            harness.send(block);
            assertThat(inState(harness)).isSameAs(block);
            harness.send(admitted(0, 0, 0, 2, 3));
            assertThat(inState(harness)).isSameAs(block);
            harness.processBothWatermarks(new Watermark(10));
            assertThat(sent(harness)).containsExactly("0/0: b@2");
            assertThat(inState(harness)).isSameAs(block);
            harness.send(admitted(0, 0, 1));
        }
    }

    private static RoutedBlock inState(DispatchHarness harness) throws Exception {
        KeyedStateBackend<Integer> backend = harness.getOperator().getKeyedStateBackend();
        backend.setCurrentKey(new EvenKeys(DispatchBlocks.LANES).keyOf(0));
        return backend.getPartitionedState(
                        0L,
                        LongSerializer.INSTANCE,
                        new ValueStateDescriptor<>("vectors", new RoutedBlock.Serializer()))
                .value();
    }

    @Test
    void incrementalCheckpointWritesTheVectorsOnceAndThenOnlyWhatHappensToTheTokens()
            throws Exception {
        try (DispatchHarness harness =
                OperatorHarnesses.of(options).stateBackend(incremental()).dispatch(0)) {
            harness.send(wide(undecided(0, 0, "a@1", "b@2")), wide(undecided(1, 0, "c@1")));
            assertThat(checkpoint(harness, 1)).isGreaterThan(3 * VECTOR_BYTES);

            harness.send(admitted(0, 0, 0, 2, 3), admitted(1, 0, 1));
            harness.processBothWatermarks(new Watermark(10));
            assertThat(sent(harness)).containsExactly("0/0: b@2");
            assertThat(checkpoint(harness, 2)).isLessThan(VECTOR_BYTES);
            harness.send(admitted(0, 0, 1), admitted(1, 0, 0));
        }
    }

    private static StateBackend incremental() {
        EmbeddedRocksDBStateBackend backend = new EmbeddedRocksDBStateBackend(true);
        backend.setDbStoragePath(directory.resolve("rocksdb").toString());
        return backend;
    }

    /** Returns how many bytes a checkpoint adds to those before it. */
    private static long checkpoint(DispatchHarness harness, long number) throws Exception {
        OperatorSubtaskState state = harness.snapshot(number, number);
        harness.notifyOfCompletedCheckpoint(number);
        return state.getCheckpointedSize();
    }

    @Test
    void restartReadsNoVectors() throws Exception {
        DispatchHarness killed =
                OperatorHarnesses.of(options).stateBackend(Backend.ROCKSDB.make()).dispatch(0);
        killed.send(wide(undecided(0, 0, "a@1", "b@2")), wide(undecided(1, 0, "c@1")));
        killed.send(admitted(0, 0, 2, 3));
        OperatorSubtaskState state = killed.snapshot(1, 1);
        kill(killed);

        ReportedMetrics metrics = new ReportedMetrics();
        try (DispatchHarness harness =
                OperatorHarnesses.of(options)
                        .stateBackend(reportingReads())
                        .metrics(metrics.task())
                        .restore(state)
                        .dispatch(0)) {
            assertThat(entries(harness, "vectors")).isEqualTo(2);
            long before = metrics.gauge("rocksdb.bytes_read").longValue();
            assertThat(before).isPositive().isLessThan(VECTOR_BYTES);
            harness.runSlices();
            assertThat(sent(harness)).containsExactly("0/0: b@2");
            assertThat(metrics.gauge("rocksdb.bytes_read").longValue())
                    .isBetween(before + VECTOR_BYTES, before + 3 * VECTOR_BYTES);
            harness.send(admitted(0, 0, 0, 1), admitted(1, 0, 0, 1));
        }
    }

    private static StateBackend reportingReads() throws Exception {
        return ((EmbeddedRocksDBStateBackend) Backend.ROCKSDB.make())
                .configure(
                        new Configuration()
                                .set(RocksDBNativeMetricOptions.MONITOR_BYTES_READ, true),
                        DispatchVectorsTest.class.getClassLoader());
    }
}
