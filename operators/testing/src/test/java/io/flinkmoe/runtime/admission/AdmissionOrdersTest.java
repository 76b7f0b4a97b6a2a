// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import static io.flinkmoe.runtime.admission.AdmissionBlocks.ADMITTED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.BEST_SECOND;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.EARLY_SECOND;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.LAST_FIRST;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.LATER_FIRST;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.MINUTE;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.OVERFLOWED;
import static io.flinkmoe.runtime.admission.AdmissionBlocks.block;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.AtWindowClose;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.runtime.admission.AdmissionBlocks.Row;
import io.flinkmoe.runtime.block.AdmissionInput;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.testing.AdmissionHarness;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.OperatorHarnesses;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.flink.configuration.Configuration;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Which choices are admitted when a window closes, and with which weights. */
@ParameterizedClass
@EnumSource
class AdmissionOrdersTest {

    @Parameter private Backend backend;
    @TempDir private Path directory;
    private Configuration options;

    @BeforeEach
    void writeBundle() {
        options = AdmissionBlocks.options(directory.resolve("bundle"), 2);
    }

    @Test
    void admitsByTheOrderOfTheCapacity() throws Exception {
        assertThat(admitted(AdmissionOrder.POSITION)).containsExactly(2, 4);
        assertThat(admitted(AdmissionOrder.TOKEN_PRIORITY)).containsExactly(4, 2);
        assertThat(admitted(AdmissionOrder.GATE_SCORE)).containsExactly(7, 4);
    }

    /** The choices that are admitted as the capacity grows, one by one. */
    private List<Integer> admitted(AdmissionOrder order) throws Exception {
        List<Integer> admitted = new ArrayList<>();
        for (int capacity = 1; capacity <= 2; capacity++) {
            try (var harness = open(fixed(capacity, order))) {
                harness.send(block(1, 0, EARLY_SECOND, LAST_FIRST, BEST_SECOND, LATER_FIRST));
                harness.processWatermark(59_999);
                harness.decided()
                        .forEach(
                                (choice, outcome) -> {
                                    if (outcome == ADMITTED && !admitted.contains(choice)) {
                                        admitted.add(choice);
                                    }
                                });
            }
        }
        return admitted;
    }

    @ParameterizedTest
    @EnumSource
    void decidesTheSameWhateverTheOrderOfArrival(AdmissionOrder order) throws Exception {
        Random random = new Random(5);
        // A choice's rank is its parity. Equal scores and timestamps are frequent.
        List<CandidateBlock> blocks = new ArrayList<>();
        for (int batch = 0; batch < 12; batch++) {
            Row[] rows = new Row[1 + random.nextInt(5)];
            for (int i = 0; i < rows.length; i++) {
                float score = random.nextInt(4) / 8f;
                rows[i] =
                        new Row(
                                2 * (10 * batch + i) + random.nextInt(2),
                                random.nextInt(6),
                                "s" + random.nextInt(3),
                                score + random.nextInt(2),
                                score);
            }
            blocks.add(block(1, batch, rows));
        }
        Map<Integer, Byte> first = null;
        for (int run = 0; run < 20; run++) {
            Collections.shuffle(blocks, random);
            try (var harness = open(fixed(7, order))) {
                harness.send(blocks.toArray(AdmissionInput[]::new));
                harness.processWatermark(59_999);
                Map<Integer, Byte> found = harness.decided();
                assertThat(found.values()).filteredOn(outcome -> outcome == ADMITTED).hasSize(7);
                first = first == null ? found : first;
                assertThat(found).isEqualTo(first);
            }
        }
    }

    @Test
    void windowWeightsAreTheSoftmaxOfAllScoresOfTheWindow() throws Exception {
        Capacity capacity = fixed(2, AdmissionOrder.GATE_SCORE).withWeightRule(WeightRule.WINDOW);
        try (var harness = open(capacity)) {
            harness.send(block(1, 0, EARLY_SECOND, BEST_SECOND), block(1, 1, LATER_FIRST));
            harness.send(block(1, 2, LAST_FIRST), block(1, 3, new Row(6, 60_000, "a", 9, 9)));
            harness.processWatermark(59_999);

            double sum = Math.exp(0.2) + Math.exp(0.6) + Math.exp(0.4) + Math.exp(0.5);
            DecisionBlock.OfBatch[] batches = harness.extractOutputValues().get(0).batches();
            assertThat(batches)
                    .extracting(DecisionBlock.OfBatch::batch)
                    .containsExactly(0L, 1L, 2L);
            assertThat(batches[0].choices()).containsExactly(1, 7);
            assertThat(batches[0].outcomes()).containsExactly(OVERFLOWED, ADMITTED);
            assertThat(batches[0].weights()[1])
                    .isCloseTo((float) (Math.exp(0.6) / sum), Offset.offset(1e-6f));
            assertThat(batches[1].outcomes()).containsExactly(OVERFLOWED);
            assertThat(batches[2].outcomes()).containsExactly(ADMITTED);
            assertThat(batches[2].weights()[0])
                    .isCloseTo((float) (Math.exp(0.5) / sum), Offset.offset(1e-6f));
        }
    }

    private static AtWindowClose fixed(int rows, AdmissionOrder order) {
        return AtWindowClose.of(MINUTE, CapacityFormula.fixed(rows), order);
    }

    private AdmissionHarness open(Capacity capacity) throws Exception {
        return OperatorHarnesses.of(options)
                .stateBackend(backend.make())
                .capacity(capacity)
                .admission(0);
    }
}
