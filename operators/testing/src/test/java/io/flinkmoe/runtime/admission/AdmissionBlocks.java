// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.admission;

import io.flinkmoe.api.WindowSummary;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TumblingWindows;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.runtime.block.AdmissionInput;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.Priorities;
import io.flinkmoe.runtime.block.RemainingCapacity;
import io.flinkmoe.testing.AdmissionHarness;
import io.flinkmoe.testing.NumberedBundle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/** What admission tests send, and what they read. */
final class AdmissionBlocks {

    /** The number of experts. */
    static final int N = 4;

    static final TumblingWindows MINUTE = new TumblingWindows(60_000);

    static final byte ADMITTED = Choices.PENDING;
    static final byte OVERFLOWED = Outcome.OVERFLOWED.code();
    static final byte LATE = Outcome.LATE.code();

    // Four choices of one window; k is 2.
    static final Row EARLY_SECOND = new Row(1, 1, "a", 0.9f, 0.2f);
    static final Row LATER_FIRST = new Row(2, 5, "b", 0.4f, 0.4f);
    static final Row LAST_FIRST = new Row(4, 9, "a", 0.5f, 0.5f);
    static final Row BEST_SECOND = new Row(7, 3, "c", 0.7f, 0.6f);

    private AdmissionBlocks() {}

    /** A choice, and the values that the orders compare. Its number determines its rank. */
    record Row(int choice, long timestamp, String stream, float topScore, float score) {}

    /** Options with a new bundle of N experts, of which a token chooses {@code topK}. */
    static Configuration options(Path folder, int topK) {
        return new Configuration()
                .set(
                        MoeOptions.BUNDLE,
                        NumberedBundle.write(folder, N, topK, 1).directory().toString());
    }

    /** Choices that are decided on arrival, of lane 0. */
    static CandidateBlock onArrival(int expert, long batch, int[] choices, long... timestamps) {
        return new CandidateBlock(expert, 0, batch, 0, choices, timestamps, Priorities.NONE);
    }

    /** Choices of lane 0 that have no next expert. */
    static CandidateBlock block(int expert, long batch, Row... rows) {
        int[] choices = new int[rows.length];
        long[] timestamps = new long[rows.length];
        Priorities priorities = Priorities.ofRows(rows.length, 1, false);
        for (int i = 0; i < rows.length; i++) {
            choices[i] = rows[i].choice;
            timestamps[i] = rows[i].timestamp;
            priorities.streams()[i] = rows[i].stream;
            priorities.topScores()[i] = rows[i].topScore;
            priorities.scores()[i] = rows[i].score;
        }
        return new CandidateBlock(expert, 0, batch, 0, choices, timestamps, priorities);
    }

    /** Choices of lane 0 whose timestamp is their number. Expert e + 1 is their next expert. */
    static CandidateBlock withNextExpert(int expert, long batch, int attempt, int... choices) {
        long[] timestamps = new long[choices.length];
        Priorities priorities = Priorities.ofRows(choices.length, 2, false);
        for (int row = 0; row < choices.length; row++) {
            timestamps[row] = choices[row];
            priorities.streams()[row] = "s";
            priorities.positions()[row] = choices[row];
            priorities.nextExperts()[row] = (expert + 1) % N;
        }
        return new CandidateBlock(expert, 0, batch, attempt, choices, timestamps, priorities);
    }

    /** The same choices in another lane. */
    static CandidateBlock inLane(int lane, CandidateBlock block) {
        return new CandidateBlock(
                block.expert(),
                lane,
                block.batch(),
                block.attempt(),
                block.choices(),
                block.timestamps(),
                block.priorities());
    }

    /**
     * Five choices of two lanes for each expert in each of two windows. The third in order of the
     * timestamps has no next expert.
     */
    static List<CandidateBlock> twoWindows() {
        List<CandidateBlock> blocks = new ArrayList<>();
        for (int expert = 0; expert < N; expert++) {
            for (int window = 0; window < 2; window++) {
                int first = 60_000 * window + 10 * expert;
                CandidateBlock some =
                        withNextExpert(expert, window, 0, first + 2, first + 3, first);
                some.priorities().nextExperts()[0] = -1;
                blocks.add(some);
                blocks.add(inLane(5, withNextExpert(expert, window, 0, first + 1, first + 4)));
            }
        }
        return blocks;
    }

    /** The window summaries that a harness has emitted. */
    static List<WindowSummary> summaries(AdmissionHarness harness) {
        var records = harness.getSideOutput(WindowSummary.SUMMARIES);
        return records == null ? List.of() : records.stream().map(StreamRecord::getValue).toList();
    }

    /** The records for the next round, as text. */
    static List<String> nextRound(AdmissionHarness harness) {
        return harness.nextRound().stream().map(AdmissionBlocks::text).toList();
    }

    /** All decisions, records for the next round and window summaries, as text. */
    static List<String> sent(AdmissionHarness harness) {
        List<String> sent = new ArrayList<>(nextRound(harness));
        for (DecisionBlock block : harness.extractOutputValues()) {
            for (DecisionBlock.OfBatch ofBatch : block.batches()) {
                for (int i = 0; i < ofBatch.choices().length; i++) {
                    sent.add(
                            "lane %d, batch %d, attempt %d, choice %d: %d"
                                    .formatted(
                                            block.lane(),
                                            ofBatch.batch(),
                                            ofBatch.attempt(),
                                            ofBatch.choices()[i],
                                            ofBatch.outcomes()[i]));
                }
            }
        }
        summaries(harness).forEach(summary -> sent.add(summary.toString()));
        return sent;
    }

    private static String text(AdmissionInput input) {
        if (input instanceof CandidateBlock block) {
            return "expert %d, attempt %d: %s"
                    .formatted(block.expert(), block.attempt(), Arrays.toString(block.choices()));
        }
        RemainingCapacity left = (RemainingCapacity) input;
        return "expert %d, window %d: capacity %d left"
                .formatted(left.expert(), left.windowStart(), left.remaining());
    }
}
