// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.tools.flights.ExpectedAnswers;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** Compares the answers with the expected ones. Without overflow, every token has an output. */
@Internal
final class AnswerCheck {

    private static final double ALLOWED_DIFFERENCE = 1e-5;

    private final DemoResults results;
    private final ExpectedAnswers expected;
    private double largestDifference;
    private int withoutOutput;
    private int inUnexpectedExperts;

    AnswerCheck(DemoResults results, ExpectedAnswers expected) {
        this.results = results;
        this.expected = expected;
        for (int position = 0; position < results.tokens(); position++) {
            if (results.isScored(position)) {
                withoutOutput += results.hasOutput(position) ? 0 : 1;
                if (position < expected.size()) {
                    compare(position);
                }
            }
        }
    }

    private void compare(int position) {
        boolean asExpected = expected.areExperts(position, results.experts(position));
        if (!asExpected && expected.isUndecided(position)) {
            return;
        }
        if (!asExpected) {
            inUnexpectedExperts++;
        }
        if (!results.hasOutput(position)) {
            return;
        }
        float[] probabilities = expected.probabilities(position);
        for (int task = 0; task < probabilities.length; task++) {
            double difference =
                    Math.abs((double) results.probability(task, position) - probabilities[task]);
            largestDifference = Math.max(largestDifference, difference);
        }
    }

    /** The largest difference of a probability from the expected one. */
    double largestDifference() {
        return largestDifference;
    }

    List<Figure> figures() {
        String which =
                results.tokens() <= expected.size()
                        ? ""
                        : " of the first %,d flights".formatted(expected.size());
        return List.of(
                new Figure(
                        "largest difference",
                        "%.1e".formatted(largestDifference),
                        "from the expected probabilities" + which),
                new Figure(
                        "unexpected experts",
                        "%,d".formatted(inUnexpectedExperts),
                        "tokens" + which));
    }

    List<String> defects() {
        List<String> defects = new ArrayList<>();
        if (withoutOutput > 0) {
            defects.add("%,d tokens have no output".formatted(withoutOutput));
        }
        if (largestDifference > ALLOWED_DIFFERENCE) {
            defects.add(
                    "a probability differs by %.1e; allowed: %.0e"
                            .formatted(largestDifference, ALLOWED_DIFFERENCE));
        }
        if (inUnexpectedExperts > 0) {
            defects.add("%,d tokens went to unexpected experts".formatted(inUnexpectedExperts));
        }
        return defects;
    }
}
