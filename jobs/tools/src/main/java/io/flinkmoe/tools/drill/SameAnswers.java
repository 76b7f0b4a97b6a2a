// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.schemas.LayerDecision;
import io.flinkmoe.schemas.ScoredToken;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/** Each token has the same outcomes and the same bits in both runs. */
@Internal
final class SameAnswers implements AnswerRule {

    @Override
    public Set<Difference> compare(ScoredToken expected, ScoredToken found) {
        boolean sameOutcomes = expected.getLayers().size() == found.getLayers().size();
        // Float.equals compares bits.
        boolean sameBits =
                AnswerRule.sameToken(expected, found)
                        && Objects.equals(expected.getValues(), found.getValues());
        List<LayerDecision> layers = expected.getLayers();
        for (int layer = 0; sameOutcomes && layer < layers.size(); layer++) {
            LayerDecision other = found.getLayers().get(layer);
            sameOutcomes = AnswerRule.sameOutcomes(layers.get(layer), other);
            sameBits &= !sameOutcomes || AnswerRule.sameWeights(layers.get(layer), other);
        }
        Set<Difference> differences = EnumSet.noneOf(Difference.class);
        if (!sameBits) {
            differences.add(Difference.BITS);
        }
        if (!sameOutcomes) {
            differences.add(Difference.OUTCOMES);
        }
        return differences;
    }

    @Override
    public long wrongAdmissions(Collection<ScoredToken> answers) {
        return 0;
    }

    @Override
    public Set<Difference> differences() {
        return EnumSet.range(Difference.MISSING, Difference.OUTCOMES);
    }

    @Override
    public String success() {
        return "Every flight was scored once, in order, with the same bits.";
    }
}
