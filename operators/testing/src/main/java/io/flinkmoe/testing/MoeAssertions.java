// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.WindowSummary;
import org.apache.flink.annotation.PublicEvolving;
import org.assertj.core.api.Assertions;

/**
 * The assertions of AssertJ and those for the results of MoE layers. One static import is enough:
 *
 * <pre>{@code
 * import static io.flinkmoe.testing.MoeAssertions.assertThat;
 *
 * assertThat(scored).hasSize(100);
 * assertThat(scored.get(0)).wasExecutedBy(3, 5);
 * assertThat(ExpertLoads.ofTokens(scored, Duration.ofMinutes(1))).neverExceeds(capacity);
 * }</pre>
 */
@PublicEvolving
public final class MoeAssertions extends Assertions {

    private MoeAssertions() {}

    /** Assertions about the result of one token. */
    public static ScoredTokenAssert assertThat(ScoredToken actual) {
        return new ScoredTokenAssert(actual);
    }

    /** Assertions about the counts of one operator in one window. */
    public static WindowSummaryAssert assertThat(WindowSummary actual) {
        return new WindowSummaryAssert(actual);
    }

    /** Assertions about the number of choices that experts admitted in windows. */
    public static ExpertLoadsAssert assertThat(ExpertLoads actual) {
        return new ExpertLoadsAssert(actual);
    }
}
