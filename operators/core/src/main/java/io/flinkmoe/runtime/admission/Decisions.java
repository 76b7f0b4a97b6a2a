// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.layer.RowList;
import io.flinkmoe.runtime.shared.WindowCounters;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.annotation.Internal;

/**
 * Collects and counts what is decided about the rows of some blocks of one expert. A refused choice
 * is passed on to its next expert, or overflows if it has none.
 */
@Internal
final class Decisions {

    private final WindowCounters counters;
    private final AdmissionMetrics metrics;
    private final Map<Integer, List<DecisionBlock.OfBatch>> byLane = new TreeMap<>();
    private final List<CandidateBlock> passedOn = new ArrayList<>();

    private CandidateBlock block;
    private RowList decided;
    private RowList passed;
    private byte[] outcomes; // of the decided rows
    private float[] weights; // likewise
    private int numDecided;
    private boolean hasWeights;

    /**
     * @param counters the counts of the current key
     * @param metrics the metrics of the expert
     */
    Decisions(WindowCounters counters, AdmissionMetrics metrics) {
        this.counters = counters;
        this.metrics = metrics;
    }

    /** Starts the decisions about a block. Each of its rows is decided once at most. */
    void startBlock(CandidateBlock next) {
        block = next;
        decided = new RowList(next.rows());
        passed = new RowList(next.rows());
        outcomes = new byte[next.rows()];
        weights = new float[next.rows()];
        numDecided = 0;
        hasWeights = false;
    }

    /** Admits a row, whose weight remains the router's. */
    void admit(int row) throws Exception {
        counters.countAdmitted(block.timestamps()[row], 1);
        metrics.admitted.inc();
        decide(row, Choices.PENDING);
    }

    /** Admits a row with a weight that the admission determines. */
    void admit(int row, float weight) throws Exception {
        hasWeights = true;
        weights[numDecided] = weight;
        admit(row);
    }

    /** Refuses a row. */
    void refuse(int row) throws Exception {
        if (block.priorities().next(row, block.attempt()) < 0) {
            counters.count(block.timestamps()[row], Outcome.OVERFLOWED, 1);
            metrics.overflowed.inc();
            decide(row, Outcome.OVERFLOWED.code());
        } else {
            counters.countPassedOn(block.timestamps()[row], 1);
            metrics.passedOn.inc();
            passed.add(row);
        }
    }

    /** Counts rows of a window without a decision. */
    void hold(long windowStart, int rows) {
        metrics.hold(windowStart, rows);
    }

    /** Decides on a row whose window is closed. */
    void late(int row) throws Exception {
        counters.count(block.timestamps()[row], Outcome.LATE, 1);
        metrics.late.inc();
        decide(row, Outcome.LATE.code());
    }

    private void decide(int row, byte outcome) {
        outcomes[numDecided++] = outcome;
        decided.add(row);
    }

    /** Ends the decisions about a block. Rows without a decision are held. */
    void endBlock() {
        int[] rows = decided.toArray();
        if (rows.length > 0) {
            int[] choices = new int[rows.length];
            for (int i = 0; i < rows.length; i++) {
                choices[i] = block.choices()[rows[i]];
            }
            byLane.computeIfAbsent(block.lane(), lane -> new ArrayList<>())
                    .add(
                            new DecisionBlock.OfBatch(
                                    block.batch(),
                                    block.attempt(),
                                    choices,
                                    Arrays.copyOf(outcomes, rows.length),
                                    hasWeights
                                            ? Arrays.copyOf(weights, rows.length)
                                            : DecisionBlock.NO_WEIGHTS));
        }
        CandidateBlock of = block;
        for (int[] group :
                RowGroups.of(passed.toArray(), row -> of.priorities().next(row, of.attempt()))) {
            passedOn.add(of.passedOn(of.priorities().next(group[0], of.attempt()), group));
        }
    }

    /** The decisions, by lane. */
    Map<Integer, List<DecisionBlock.OfBatch>> byLane() {
        return byLane;
    }

    /** The choices that the next round must decide. */
    List<CandidateBlock> passedOn() {
        return passedOn;
    }
}
