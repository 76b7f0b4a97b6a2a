// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.api.Token;
import io.flinkmoe.schemas.Choice;
import io.flinkmoe.schemas.LayerDecision;
import io.flinkmoe.schemas.Outcome;
import io.flinkmoe.schemas.ScoredToken;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * Compares the answers of a disturbed run with those of an undisturbed run.
 *
 * @param tokens the number of sent tokens
 * @param differences the number of differences of each kind; kinds without any are absent
 * @param outcomes the number of choices per outcome
 */
@Internal
record DrillCheck(long tokens, Map<Difference, Long> differences, Map<Outcome, Long> outcomes) {

    /**
     * @param sent the sent tokens, in this order
     * @param expected the answers of the undisturbed run
     * @param rule what must hold for the answers
     */
    static DrillCheck of(
            List<Token> sent, DrillAnswers expected, DrillAnswers found, AnswerRule rule) {
        Map<String, List<Long>> order = new HashMap<>();
        for (Token token : sent) {
            order.computeIfAbsent(token.stream(), s -> new ArrayList<>()).add(token.position());
        }
        Sums sums = new Sums(rule);
        order.forEach(
                (stream, positions) ->
                        sums.add(
                                positions,
                                expected.byStream().getOrDefault(stream, List.of()),
                                found.byStream().getOrDefault(stream, List.of())));
        for (Map.Entry<String, List<ScoredToken>> answers : found.byStream().entrySet()) {
            if (!order.containsKey(answers.getKey())) {
                sums.add(Difference.DUPLICATED, answers.getValue().size());
            }
        }
        sums.add(Difference.ADMISSIONS, rule.wrongAdmissions(sums.answers));
        return new DrillCheck(sent.size(), sums.differences, sums.outcomes);
    }

    /** Adds differences of other kinds, also those with a count of 0. */
    DrillCheck with(Map<Difference, Long> others) {
        Map<Difference, Long> all = new EnumMap<>(Difference.class);
        all.putAll(differences);
        all.putAll(others);
        return new DrillCheck(tokens, all, outcomes);
    }

    long count(Difference difference) {
        return differences.getOrDefault(difference, 0L);
    }

    long count(Outcome outcome) {
        return outcomes.getOrDefault(outcome, 0L);
    }

    private static final class Sums {
        private final AnswerRule rule;
        private final Map<Difference, Long> differences = new EnumMap<>(Difference.class);
        private final Map<Outcome, Long> outcomes = new EnumMap<>(Outcome.class);

        /** The first answer to each token. */
        private final List<ScoredToken> answers = new ArrayList<>();

        Sums(AnswerRule rule) {
            this.rule = rule;
        }

        void add(Difference difference, long count) {
            if (count > 0) {
                differences.merge(difference, count, Long::sum);
            }
        }

        /** Adds a stream: its positions in the order sent, and its answers. */
        void add(List<Long> positions, List<ScoredToken> expected, List<ScoredToken> found) {
            Map<Long, Integer> placeOf = new HashMap<>();
            positions.forEach(position -> placeOf.put(position, placeOf.size()));
            Map<Long, ScoredToken> model = new HashMap<>();
            expected.forEach(answer -> model.put(answer.getPosition(), answer));
            boolean[] answered = new boolean[positions.size()];
            int newest = -1;
            for (ScoredToken answer : found) {
                Integer place = placeOf.get(answer.getPosition());
                if (place == null || answered[place]) {
                    add(Difference.DUPLICATED, 1);
                    continue;
                }
                answered[place] = true;
                add(Difference.OUT_OF_ORDER, place < newest ? 1 : 0);
                newest = Math.max(newest, place);
                compare(model.get(answer.getPosition()), answer);
            }
            for (boolean one : answered) {
                add(Difference.MISSING, one ? 0 : 1);
            }
        }

        private void compare(ScoredToken expected, ScoredToken found) {
            answers.add(found);
            for (LayerDecision layer : found.getLayers()) {
                for (Choice choice : layer.getChoices()) {
                    outcomes.merge(choice.getOutcome(), 1L, Long::sum);
                }
            }
            if (expected == null) {
                add(Difference.BITS, 1);
                return;
            }
            rule.compare(expected, found).forEach(difference -> add(difference, 1));
        }
    }
}
