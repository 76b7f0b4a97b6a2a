// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.schemas.Choice;
import io.flinkmoe.schemas.LayerDecision;
import io.flinkmoe.schemas.ScoredToken;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/** What must hold for the answers of two runs of a job, in one mode. */
@Internal
interface AnswerRule {

    /** The admission depends on the contents of the tokens only: all answers are the same. */
    AnswerRule SAME = new SameAnswers();

    /** In which the answers to a token differ; empty if they are the same. */
    Set<Difference> compare(ScoredToken expected, ScoredToken found);

    /** The number of times that an expert admitted too much or too little in a window. */
    long wrongAdmissions(Collection<ScoredToken> answers);

    /** The differences that the rule can find, for a table. */
    Set<Difference> differences();

    /** What a token without a difference has, in words. */
    String success();

    /** Whether all parts of two answers are the same except choices and values. */
    static boolean sameToken(ScoredToken one, ScoredToken other) {
        return one.getTimestamp().equals(other.getTimestamp())
                && one.getModelVersion().equals(other.getModelVersion())
                && one.getLayers().size() == other.getLayers().size();
    }

    /** Whether two layers have the same experts and outcomes. */
    static boolean sameOutcomes(LayerDecision one, LayerDecision other) {
        List<Choice> choices = one.getChoices();
        boolean same = choices.size() == other.getChoices().size();
        for (int i = 0; same && i < choices.size(); i++) {
            Choice choice = other.getChoices().get(i);
            same =
                    choices.get(i).getExpert() == choice.getExpert()
                            && choices.get(i).getOutcome() == choice.getOutcome();
        }
        return same;
    }

    /** Whether two layers with equally many choices have weights of the same bits. */
    static boolean sameWeights(LayerDecision one, LayerDecision other) {
        List<Choice> choices = one.getChoices();
        for (int i = 0; i < choices.size(); i++) {
            Choice choice = other.getChoices().get(i);
            // Float.equals compares bits.
            if (Float.compare(choices.get(i).getWeight(), choice.getWeight()) != 0
                    || !choices.get(i).getGateWeights().equals(choice.getGateWeights())) {
                return false;
            }
        }
        return true;
    }
}
