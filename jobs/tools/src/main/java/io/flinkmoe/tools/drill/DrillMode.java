// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.schemas.Outcome;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;

/** The way in which a drilled job admits tokens and places its experts. */
@Internal
enum DrillMode {
    DROPLESS(AnswerRule.SAME, EnumSet.of(Outcome.EXECUTED)) {
        @Override
        void configure(Configuration options) {
            options.set(PlacementOptions.PLACEMENT, PlacementOptions.Placement.PARTITIONED);
        }
    },
    REPLICATED(AnswerRule.SAME, EnumSet.of(Outcome.EXECUTED)) {
        @Override
        void configure(Configuration options) {
            options.set(PlacementOptions.PLACEMENT, PlacementOptions.Placement.REPLICATED);
        }
    },
    FIRST_COME(
            new FirstComeAnswers(DrillStream.WINDOW, Constants.CAPACITY),
            EnumSet.of(Outcome.EXECUTED, Outcome.OVERFLOWED, Outcome.LATE)) {
        @Override
        void configure(Configuration options) {
            windows(options);
            options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
            options.set(MoeOptions.CAPACITY_SIZE, Constants.CAPACITY);
            options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.FIRST_COME);
        }
    },
    PRIORITIZED(AnswerRule.SAME, EnumSet.of(Outcome.EXECUTED, Outcome.OVERFLOWED, Outcome.LATE)) {
        @Override
        void configure(Configuration options) {
            windows(options);
            options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FACTOR);
            options.set(MoeOptions.CAPACITY_FACTOR, Constants.FACTOR);
            options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        }
    },
    NEXT_EXPERT(
            AnswerRule.SAME,
            EnumSet.of(Outcome.EXECUTED, Outcome.REROUTED, Outcome.OVERFLOWED, Outcome.LATE)) {
        @Override
        void configure(Configuration options) {
            PRIORITIZED.configure(options);
            options.set(MoeOptions.OVERFLOW, MoeOptions.OverflowPolicy.NEXT_EXPERT);
            options.set(MoeOptions.OVERFLOW_ROUNDS, 1);
        }
    };

    private final AnswerRule rule;
    private final Set<Outcome> outcomes;

    DrillMode(AnswerRule rule, Set<Outcome> outcomes) {
        this.rule = rule;
        this.outcomes = outcomes;
    }

    /** The capacities; the flights of an hour have about 1,360 choices for 8 experts. */
    private static final class Constants {
        private static final int CAPACITY = 120;
        private static final double FACTOR = 0.7;
    }

    /** Sets the options of the job. */
    abstract void configure(Configuration options);

    /** The outcomes that a drill must test: each occurs at least once. */
    Set<Outcome> outcomes() {
        return outcomes;
    }

    /** What must hold for the answers. */
    AnswerRule rule() {
        return rule;
    }

    private static void windows(Configuration options) {
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, DrillStream.WINDOW);
    }

    /** As the command line writes it: first-come. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
