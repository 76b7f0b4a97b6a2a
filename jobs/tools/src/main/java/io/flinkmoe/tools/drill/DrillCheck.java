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
 * @param missing tokens without an answer
 * @param duplicated surplus answers: to a token that already has one, or to an unknown token
 * @param outOfOrder answers that follow the answer to a later token of their stream
 * @param differentBits tokens with different values, weights, timestamp or model version
 * @param differentOutcomes tokens with different experts or outcomes
 * @param outcomes the number of choices per outcome
 */
@Internal
record DrillCheck(
        int missing,
        int duplicated,
        int outOfOrder,
        int differentBits,
        int differentOutcomes,
        Map<Outcome, Long> outcomes) {

    /**
     * @param sent the sent tokens, in this order
     * @param expected the answers of the undisturbed run
     */
    static DrillCheck of(List<Token> sent, DrillAnswers expected, DrillAnswers found) {
        Map<String, List<Long>> order = new HashMap<>();
        for (Token token : sent) {
            order.computeIfAbsent(token.stream(), s -> new ArrayList<>()).add(token.position());
        }
        Sums sums = new Sums();
        order.forEach(
                (stream, positions) ->
                        sums.add(
                                positions,
                                expected.byStream().getOrDefault(stream, List.of()),
                                found.byStream().getOrDefault(stream, List.of())));
        for (Map.Entry<String, List<ScoredToken>> answers : found.byStream().entrySet()) {
            if (!order.containsKey(answers.getKey())) {
                sums.duplicated += answers.getValue().size();
            }
        }
        return new DrillCheck(
                sums.missing,
                sums.duplicated,
                sums.outOfOrder,
                sums.differentBits,
                sums.differentOutcomes,
                sums.outcomes);
    }

    long count(Outcome outcome) {
        return outcomes.getOrDefault(outcome, 0L);
    }

    private static final class Sums {
        private int missing;
        private int duplicated;
        private int outOfOrder;
        private int differentBits;
        private int differentOutcomes;
        private final Map<Outcome, Long> outcomes = new EnumMap<>(Outcome.class);

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
                    duplicated++;
                    continue;
                }
                answered[place] = true;
                outOfOrder += place < newest ? 1 : 0;
                newest = Math.max(newest, place);
                compare(model.get(answer.getPosition()), answer);
            }
            for (boolean one : answered) {
                missing += one ? 0 : 1;
            }
        }

        private void compare(ScoredToken expected, ScoredToken found) {
            for (Choice choice : choices(found)) {
                outcomes.merge(choice.getOutcome(), 1L, Long::sum);
            }
            if (expected == null) {
                differentBits++;
                return;
            }
            // Float.equals compares bits.
            boolean sameBits =
                    expected.getValues().equals(found.getValues())
                            && expected.getTimestamp().equals(found.getTimestamp())
                            && expected.getModelVersion().equals(found.getModelVersion());
            boolean sameOutcomes = choices(expected).size() == choices(found).size();
            for (int i = 0; sameOutcomes && i < choices(expected).size(); i++) {
                Choice one = choices(expected).get(i);
                Choice other = choices(found).get(i);
                sameBits &= Float.compare(one.getWeight(), other.getWeight()) == 0;
                sameOutcomes =
                        one.getExpert() == other.getExpert()
                                && one.getOutcome() == other.getOutcome();
            }
            differentBits += sameBits ? 0 : 1;
            differentOutcomes += sameOutcomes ? 0 : 1;
        }

        private static List<Choice> choices(ScoredToken answer) {
            List<Choice> choices = new ArrayList<>();
            for (LayerDecision layer : answer.getLayers()) {
                choices.addAll(layer.getChoices());
            }
            return choices;
        }
    }
}
