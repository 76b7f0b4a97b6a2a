package io.flinkmoe.tools.drill;

import io.flinkmoe.schemas.Outcome;
import io.flinkmoe.scoring.cli.TextTable;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * What a drill has found.
 *
 * @param tokens sent
 * @param undisturbed the undisturbed run, held against what was sent
 * @param drilled the disturbed run, held against the undisturbed one
 * @param deadLetters of both; no flight is one
 * @param open records behind transactions that were left open
 */
@Internal
record DrillReport(
        int tokens, DrillCheck undisturbed, DrillCheck drilled, long deadLetters, long open) {

    /** The figures, a line each. */
    @Override
    public String toString() {
        TextTable table = new TextTable("", ">", "");
        row(table, "tokens", tokens, "");
        row(table, "missing", drilled.missing(), "");
        row(table, "doubled", drilled.doubled(), "");
        row(table, "out of order", drilled.outOfOrder(), "within their stream");
        row(table, "different bits", drilled.differentBits(), "from the undisturbed run");
        row(table, "different outcomes", drilled.differentOutcomes(), "from the undisturbed run");
        row(table, "dead letters", deadLetters, "");
        row(table, "open transactions", open, "records behind them");
        for (Outcome outcome : Outcome.values()) {
            String name = outcome.name().toLowerCase(java.util.Locale.ROOT);
            row(table, name, drilled.count(outcome), "choices");
        }
        return table.toString();
    }

    private static void row(TextTable table, String name, long value, String note) {
        table.row(name, "%,d".formatted(value), note);
    }

    /** What is wrong, a line each. */
    List<String> defects() {
        List<String> defects = new ArrayList<>();
        addIf(defects, undisturbed.missing(), "tokens are missing from the undisturbed run");
        addIf(defects, undisturbed.doubled(), "tokens are doubled in the undisturbed run");
        addIf(defects, undisturbed.outOfOrder(), "tokens are out of order in the undisturbed run");
        addIf(defects, drilled.missing(), "tokens are missing");
        addIf(defects, drilled.doubled(), "tokens are doubled");
        addIf(defects, drilled.outOfOrder(), "tokens are out of order within their stream");
        addIf(defects, drilled.differentBits(), "tokens have other bits");
        addIf(defects, drilled.differentOutcomes(), "tokens have other outcomes");
        addIf(defects, deadLetters, "tokens came out as dead letters");
        addIf(defects, open, "records lie behind transactions that are still open");
        for (Outcome outcome : List.of(Outcome.OVERFLOWED, Outcome.REROUTED, Outcome.LATE)) {
            if (drilled.count(outcome) == 0) {
                defects.add("no choice was " + outcome + ": the drill proves nothing of it");
            }
        }
        return defects;
    }

    private static void addIf(List<String> defects, long count, String what) {
        if (count > 0) {
            defects.add("%,d %s".formatted(count, what));
        }
    }
}
