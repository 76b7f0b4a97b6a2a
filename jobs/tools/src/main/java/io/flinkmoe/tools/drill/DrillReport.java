// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.schemas.Outcome;
import io.flinkmoe.scoring.cli.TextTable;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The result of a drill.
 *
 * @param tokens the number of sent tokens
 * @param undisturbed the undisturbed run compared with the sent tokens
 * @param drilled the disturbed run compared with the undisturbed one
 * @param deadLetters the number of dead letters of both runs; there must be none
 * @param open the number of records that open transactions hold back
 */
@Internal
record DrillReport(
        int tokens, DrillCheck undisturbed, DrillCheck drilled, long deadLetters, long open) {

    /** The figures, one per line. */
    @Override
    public String toString() {
        TextTable table = new TextTable("", ">", "");
        row(table, "tokens", tokens, "");
        row(table, "missing", drilled.missing(), "");
        row(table, "duplicated", drilled.duplicated(), "");
        row(table, "out of order", drilled.outOfOrder(), "within their stream");
        row(table, "different bits", drilled.differentBits(), "from the undisturbed run");
        row(table, "different outcomes", drilled.differentOutcomes(), "from the undisturbed run");
        row(table, "dead letters", deadLetters, "");
        row(table, "open transactions", open, "records are held back by them");
        for (Outcome outcome : Outcome.values()) {
            String name = outcome.name().toLowerCase(java.util.Locale.ROOT);
            row(table, name, drilled.count(outcome), "choices");
        }
        return table.toString();
    }

    private static void row(TextTable table, String name, long value, String note) {
        table.row(name, "%,d".formatted(value), note);
    }

    /** The errors, one per line. */
    List<String> defects() {
        List<String> defects = new ArrayList<>();
        addIf(defects, undisturbed.missing(), "tokens are missing from the undisturbed run");
        addIf(defects, undisturbed.duplicated(), "tokens are duplicated in the undisturbed run");
        addIf(defects, undisturbed.outOfOrder(), "tokens are out of order in the undisturbed run");
        addIf(defects, drilled.missing(), "tokens are missing");
        addIf(defects, drilled.duplicated(), "tokens are duplicated");
        addIf(defects, drilled.outOfOrder(), "tokens are out of order within their stream");
        addIf(defects, drilled.differentBits(), "tokens have different bits");
        addIf(defects, drilled.differentOutcomes(), "tokens have different outcomes");
        addIf(defects, deadLetters, "tokens were rejected");
        addIf(defects, open, "records are held back by open transactions");
        for (Outcome outcome : List.of(Outcome.OVERFLOWED, Outcome.REROUTED, Outcome.LATE)) {
            if (drilled.count(outcome) == 0) {
                defects.add("no choice was " + outcome + ": the drill did not test this outcome");
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
