// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;
import org.assertj.core.api.AbstractAssert;

/** Assertions about {@link ExpertLoads}. */
@PublicEvolving
public final class ExpertLoadsAssert extends AbstractAssert<ExpertLoadsAssert, ExpertLoads> {

    ExpertLoadsAssert(ExpertLoads actual) {
        super(actual, ExpertLoadsAssert.class);
    }

    /**
     * Passes if no expert admitted more than {@code capacity} choices in a window. Fails if no
     * expert admitted any choice.
     */
    public ExpertLoadsAssert neverExceeds(long capacity) {
        isNotNull();
        if (actual.choices().isEmpty()) {
            throw failure("expected loads of experts, but found none");
        }
        for (Map.Entry<ExpertLoads.Key, Long> load : actual.choices().entrySet()) {
            if (load.getValue() > capacity) {
                throw failure(
                        "%s: expected at most %d admitted choices, but found %d",
                        load.getKey(), capacity, load.getValue());
            }
        }
        return this;
    }

    /** Passes if an expert admitted exactly {@code choices} choices in a window. */
    public ExpertLoadsAssert hasLoad(int layer, long windowStart, int expert, long choices) {
        isNotNull();
        long found = actual.of(layer, windowStart, expert);
        if (found != choices) {
            throw failure(
                    "%s: expected %d admitted choices, but found %d",
                    new ExpertLoads.Key(layer, windowStart, expert), choices, found);
        }
        return this;
    }
}
