// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.schemas.Choice;
import io.flinkmoe.schemas.LayerDecision;
import io.flinkmoe.schemas.Outcome;
import io.flinkmoe.schemas.ScoredToken;
import java.time.Duration;
import java.util.Collection;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * What holds with first-come admission without next-expert rounds, in whatever order the tokens
 * arrive. A run that is disturbed reads tokens again, in another order, and admits others.
 *
 * <ul>
 *   <li>In each window and layer, an expert admits exactly min(asked, capacity) choices. It is
 *       asked by the choices that are not late.
 *   <li>The tokens that are late are the same, since lateness depends on the partition's contents.
 *   <li>The first layer chooses the same experts. A later layer does so for a token with the same
 *       outcomes in all layers before it, since what it reads depends on these outcomes only.
 *   <li>A token with the same outcomes in all layers has the same bits.
 * </ul>
 *
 * @param window the size of the windows, which begin at the epoch
 * @param capacity the choices that an expert admits per window
 */
@Internal
record FirstComeAnswers(Duration window, int capacity) implements AnswerRule {

    private record ExpertWindow(int layer, long window, int expert) {}

    private static final class Counts {
        private long admitted;
        private long overflowed;
    }

    @Override
    public Set<Difference> compare(ScoredToken expected, ScoredToken found) {
        if (!AnswerRule.sameToken(expected, found)) {
            return EnumSet.of(Difference.BITS);
        }
        boolean sameWeights = true;
        List<LayerDecision> layers = expected.getLayers();
        for (int layer = 0; layer < layers.size(); layer++) {
            LayerDecision one = layers.get(layer);
            LayerDecision other = found.getLayers().get(layer);
            if (!AnswerRule.sameOutcomes(one, other)) {
                Set<Difference> differences =
                        EnumSet.of(
                                isArrival(one, other) ? Difference.ARRIVAL : Difference.OUTCOMES);
                if (!sameWeights) {
                    differences.add(Difference.BITS);
                }
                return differences; // What comes after it may differ.
            }
            sameWeights &= AnswerRule.sameWeights(one, other);
        }
        // Float.equals compares bits.
        return sameWeights && Objects.equals(expected.getValues(), found.getValues())
                ? EnumSet.noneOf(Difference.class)
                : EnumSet.of(Difference.BITS);
    }

    /** Whether two layers differ only in which choices were admitted and which overflowed. */
    private static boolean isArrival(LayerDecision one, LayerDecision other) {
        List<Choice> choices = one.getChoices();
        if (choices.size() != other.getChoices().size()) {
            return false;
        }
        for (int i = 0; i < choices.size(); i++) {
            Choice choice = other.getChoices().get(i);
            if (choices.get(i).getExpert() != choice.getExpert()
                    || choices.get(i).getOutcome() != choice.getOutcome()
                            && !(asks(choices.get(i)) && asks(choice))) {
                return false;
            }
        }
        return true;
    }

    private static boolean asks(Choice choice) {
        return choice.getOutcome() == Outcome.EXECUTED || choice.getOutcome() == Outcome.OVERFLOWED;
    }

    @Override
    public long wrongAdmissions(Collection<ScoredToken> answers) {
        Map<ExpertWindow, Counts> counts = new HashMap<>();
        for (ScoredToken answer : answers) {
            long at = Math.floorDiv(answer.getTimestamp().toEpochMilli(), window.toMillis());
            for (int layer = 0; layer < answer.getLayers().size(); layer++) {
                for (Choice choice : answer.getLayers().get(layer).getChoices()) {
                    Counts one =
                            counts.computeIfAbsent(
                                    new ExpertWindow(layer, at, choice.getExpert()),
                                    key -> new Counts());
                    one.admitted += choice.getOutcome() == Outcome.EXECUTED ? 1 : 0;
                    one.overflowed += choice.getOutcome() == Outcome.OVERFLOWED ? 1 : 0;
                }
            }
        }
        return counts.values().stream()
                .filter(one -> one.admitted != Math.min(one.admitted + one.overflowed, capacity))
                .count();
    }

    @Override
    public Set<Difference> differences() {
        return EnumSet.range(Difference.MISSING, Difference.ARRIVAL);
    }

    @Override
    public String success() {
        return "Every flight was scored once, in order; every expert admitted what its capacity"
                + " allows, and the same outcomes have the same bits.";
    }
}
