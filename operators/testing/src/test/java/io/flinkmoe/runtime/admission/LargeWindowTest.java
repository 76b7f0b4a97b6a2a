// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import static io.flinkmoe.runtime.admission.AdmissionBlocks.ADMITTED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.MINUTE;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.testing.AdmissionHarness;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.OperatorHarnesses;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** A window in which one expert has more choices than one record can hold. */
@ParameterizedClass
@EnumSource
class LargeWindowTest {

    private static final int BLOCKS = 300;
    private static final int ROWS = 1000;
    private static final int CAPACITY = 100_000;
    private static final int MEBIBYTE = 1 << 20;

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        options = AdmissionBlocks.options(directory.resolve("bundle"), 1);
    }

    @Test
    void aRecordIsAtMostAboutOneMebibyteAndASliceSendsOne() throws Exception {
        try (var harness = open()) {
            sendAll(harness);
            harness.startWatermark(59_999);
            int before = 0;
            while (harness.runSlice()) {
                assertThat(harness.getRecordOutput()).hasSizeBetween(before, before + 1);
                before = harness.getRecordOutput().size();
            }
            assertThat(harness.extractOutputValues())
                    .hasSizeGreaterThan(1)
                    .allSatisfy(block -> assertThat(bytes(block)).isLessThan(MEBIBYTE + 16_384));
            checkAll(harness.decided());
        }
    }

    @Test
    void aCheckpointBetweenTwoRecordsOfTheWindowLosesAndRepeatsNothing() throws Exception {
        OperatorSubtaskState state;
        Map<Integer, Byte> decided;
        try (var harness = open()) {
            sendAll(harness);
            harness.startWatermark(59_999);
            while (harness.extractOutputValues().isEmpty()) {
                harness.runSlice();
            }
            decided = new TreeMap<>(harness.decided());
            state = harness.snapshot(1, 1);
        }
        try (var harness = open(state)) {
            harness.runSlices();
            assertThat(harness.decided()).isNotEmpty().doesNotContainKeys(choices(decided));
            decided.putAll(harness.decided());
        }
        checkAll(decided);
    }

    private static Integer[] choices(Map<Integer, Byte> decided) {
        return decided.keySet().toArray(Integer[]::new);
    }

    private static void checkAll(Map<Integer, Byte> decided) {
        assertThat(decided).hasSize(BLOCKS * ROWS);
        assertThat(decided.values().stream().filter(outcome -> outcome == ADMITTED).count())
                .isEqualTo(CAPACITY);
    }

    private static int bytes(DecisionBlock block) {
        DataOutputSerializer out = new DataOutputSerializer(MEBIBYTE);
        try {
            new DecisionBlock.Serializer().serialize(block, out);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return out.length();
    }

    private static void sendAll(AdmissionHarness harness) throws Exception {
        for (int batch = 0; batch < BLOCKS; batch++) {
            int[] choices = new int[ROWS];
            long[] timestamps = new long[ROWS];
            Priorities priorities = Priorities.ofRows(ROWS, 1, false);
            Arrays.fill(priorities.streams(), "s");
            for (int row = 0; row < ROWS; row++) {
                choices[row] = batch * ROWS + row;
                timestamps[row] = choices[row] % 60_000;
                priorities.positions()[row] = choices[row];
            }
            harness.send(new CandidateBlock(2, 0, batch, 0, choices, timestamps, priorities));
        }
    }

    private AdmissionHarness open(OperatorSubtaskState... states) throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .capacity(
                        AtWindowClose.of(
                                MINUTE, CapacityFormula.fixed(CAPACITY), AdmissionOrder.POSITION))
                .restore(states)
                .admission(0);
    }
}
