// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.capacity.Outcome;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.flink.annotation.PublicEvolving;
import org.assertj.core.api.AbstractAssert;

/**
 * Assertions about a {@link ScoredToken}. Assertions about choices check all layers, or only the
 * one that {@link #layer} selects.
 */
@PublicEvolving
public final class ScoredTokenAssert extends AbstractAssert<ScoredTokenAssert, ScoredToken> {

    private static final int ALL = -1;

    private int selected = ALL;

    ScoredTokenAssert(ScoredToken actual) {
        super(actual, ScoredTokenAssert.class);
    }

    /** Selects a layer for the assertions that follow. */
    public ScoredTokenAssert layer(int layer) {
        isNotNull();
        if (layer < 0 || layer >= actual.layers().length) {
            throw failure(
                    "%s: there is no layer %d; it has %d", where(), layer, actual.layers().length);
        }
        selected = layer;
        return this;
    }

    /** Passes if every choice was executed, rerouted or not. */
    public ScoredTokenAssert isExecuted() {
        return allMatch("every choice executed or rerouted", ScoredTokenAssert::isExecuted);
    }

    /** Passes if exactly these experts executed the token, in any order. */
    public ScoredTokenAssert wasExecutedBy(int... experts) {
        Set<Integer> expected = new TreeSet<>(Arrays.stream(experts).boxed().toList());
        return check(
                "execution by experts " + expected,
                decision -> executedBy(decision).equals(expected));
    }

    /** Passes if at least one choice was rerouted. */
    public ScoredTokenAssert wasRerouted() {
        return anyMatches("a rerouted choice", Outcome.REROUTED);
    }

    /** Passes if at least one choice overflowed. */
    public ScoredTokenAssert overflowed() {
        return anyMatches("an overflowed choice", Outcome.OVERFLOWED);
    }

    /** Passes if the token was late: every choice is LATE. */
    public ScoredTokenAssert isLate() {
        return allMatch("every choice late", outcome -> outcome == Outcome.LATE);
    }

    /** Passes if at least one choice failed. */
    public ScoredTokenAssert failed() {
        return anyMatches("a failed choice", Outcome.FAILED);
    }

    /**
     * Passes if the choices have these outcomes, in order of rank: the most probable expert first.
     */
    public ScoredTokenAssert hasOutcomes(Outcome... outcomes) {
        return check(
                "outcomes " + Arrays.toString(outcomes),
                decision -> Arrays.equals(decision.outcomes(), outcomes));
    }

    /** Passes if the values are these, bit for bit. */
    public ScoredTokenAssert hasValues(float... values) {
        isNotNull();
        if (!Arrays.equals(actual.values(), values)) {
            throw failure(
                    "%s: expected values %s, but found %s",
                    where(), Arrays.toString(values), Arrays.toString(actual.values()));
        }
        return this;
    }

    /** Passes if the values are these, each within a tolerance. */
    public ScoredTokenAssert hasValuesCloseTo(float[] values, float tolerance) {
        isNotNull();
        if (!areClose(actual.values(), values, tolerance)) {
            throw failure(
                    "%s: expected values %s within %s, but found %s",
                    where(), Arrays.toString(values), tolerance, Arrays.toString(actual.values()));
        }
        return this;
    }

    private static boolean areClose(float[] found, float[] expected, float tolerance) {
        if (found == null || found.length != expected.length) {
            return false;
        }
        for (int i = 0; i < found.length; i++) {
            // Negated, because a comparison with NaN is false.
            if (!(Math.abs(found[i] - expected[i]) <= tolerance)) {
                return false;
            }
        }
        return true;
    }

    private ScoredTokenAssert allMatch(String expected, Predicate<Outcome> condition) {
        return check(expected, decision -> Arrays.stream(decision.outcomes()).allMatch(condition));
    }

    /** Checks that a choice in any layer, or in the selected one, has the outcome. */
    private ScoredTokenAssert anyMatches(String expected, Outcome outcome) {
        isNotNull();
        Predicate<Decision> matches =
                decision -> Arrays.asList(decision.outcomes()).contains(outcome);
        if (layers().noneMatch(layer -> matches.test(actual.layers()[layer]))) {
            throw failure("%s: expected %s, but found %s", where(), expected, found());
        }
        return this;
    }

    private ScoredTokenAssert check(String expected, Predicate<Decision> condition) {
        isNotNull();
        if (actual.layers().length == 0) {
            throw failure("%s: expected %s, but found no layer", where(), expected);
        }
        layers().filter(layer -> !condition.test(actual.layers()[layer]))
                .findFirst()
                .ifPresent(
                        layer -> {
                            throw failure(
                                    "%s, layer %d: expected %s, but found %s",
                                    where(), layer, expected, describe(actual.layers()[layer]));
                        });
        return this;
    }

    private IntStream layers() {
        return selected == ALL
                ? IntStream.range(0, actual.layers().length)
                : IntStream.of(selected);
    }

    private static boolean isExecuted(Outcome outcome) {
        return outcome == Outcome.EXECUTED || outcome == Outcome.REROUTED;
    }

    private static Set<Integer> executedBy(Decision decision) {
        Set<Integer> experts = new TreeSet<>();
        for (int rank = 0; rank < decision.experts().length; rank++) {
            if (isExecuted(decision.outcomes()[rank])) {
                experts.add(decision.experts()[rank]);
            }
        }
        return experts;
    }

    private String where() {
        return "stream %s, position %d".formatted(actual.stream(), actual.position());
    }

    private String found() {
        return layers().mapToObj(
                        layer ->
                                "in layer %d: %s"
                                        .formatted(layer, describe(actual.layers()[layer])))
                .collect(Collectors.joining("; "));
    }

    private static String describe(Decision decision) {
        return IntStream.range(0, decision.experts().length)
                .mapToObj(
                        rank ->
                                "expert %d %s"
                                        .formatted(
                                                decision.experts()[rank],
                                                decision.outcomes()[rank]))
                .collect(Collectors.joining(", "));
    }
}
