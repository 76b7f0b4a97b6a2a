// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.schemas.Outcome;
import io.flinkmoe.scoring.cli.TextTable;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * The result of a drill in one mode.
 *
 * @param undisturbed the undisturbed run compared with itself
 * @param drilled the disturbed run compared with the undisturbed one
 * @param deadLetters the number of dead letters of both runs; there must be none
 * @param open the number of records that open transactions hold back
 */
@Internal
record DrillReport(
        DrillMode mode, DrillCheck undisturbed, DrillCheck drilled, long deadLetters, long open) {

    /** The figures, one per line. */
    @Override
    public String toString() {
        TextTable table = new TextTable("", ">", "");
        row(table, "tokens", drilled.tokens(), "");
        Set<Difference> differences = EnumSet.copyOf(mode.rule().differences());
        differences.addAll(drilled.differences().keySet());
        for (Difference difference : differences) {
            row(table, difference.label(), drilled.count(difference), note(difference));
        }
        row(table, "dead letters", deadLetters, "");
        row(table, "open transactions", open, "records are held back by them");
        for (Outcome outcome : Outcome.values()) {
            String name = outcome.name().toLowerCase(Locale.ROOT);
            row(table, name, drilled.count(outcome), "choices");
        }
        return table.toString();
    }

    private String note(Difference difference) {
        boolean arrival = mode.rule().differences().contains(Difference.ARRIVAL);
        return switch (difference) {
            case OUT_OF_ORDER -> "within their stream";
            case BITS ->
                    arrival
                            ? "of tokens with the outcomes of the undisturbed run"
                            : "from the undisturbed run";
            case OUTCOMES ->
                    arrival
                            ? "experts or late tokens, which arrival does not decide"
                            : "from the undisturbed run";
            case ADMISSIONS ->
                    "times that an expert did not admit min(asked, capacity) in a window";
            case ARRIVAL -> "tokens; allowed, since arrival decides";
            case REPEATED -> "the same in key, value and headers; allowed";
            case BY_ZOMBIES -> "of these, written by paused processes after they were replaced";
            case CHANGED -> "other values or headers under the same key";
            case MISPLACED -> "with another key, or in another partition than their stream";
            case MISSING, DUPLICATED -> "";
        };
    }

    private static void row(TextTable table, String name, long value, String note) {
        table.row(name, "%,d".formatted(value), note);
    }

    /** The number of differences that there must not be. */
    long differences() {
        return drilled.differences().entrySet().stream()
                .filter(entry -> entry.getKey().isDefect())
                .mapToLong(entry -> entry.getValue())
                .sum();
    }

    /** The errors, one per line. */
    List<String> defects() {
        List<String> defects = new ArrayList<>();
        undisturbed
                .differences()
                .forEach((kind, count) -> add(defects, count, kind, " in the undisturbed run"));
        drilled.differences().forEach((kind, count) -> add(defects, count, kind, ""));
        if (deadLetters > 0) {
            defects.add("%,d tokens were rejected".formatted(deadLetters));
        }
        if (open > 0) {
            defects.add("%,d records are held back by open transactions".formatted(open));
        }
        for (Outcome outcome : mode.outcomes()) {
            if (drilled.count(outcome) == 0) {
                defects.add("no choice was " + outcome + ": the drill did not test this outcome");
            }
        }
        return defects;
    }

    private static void add(List<String> defects, long count, Difference kind, String where) {
        if (kind.isDefect() && count > 0) {
            defects.add("%,d %s%s".formatted(count, kind.defect(), where));
        }
    }
}
