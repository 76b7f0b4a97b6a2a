// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.combine.Combine;
import io.flinkmoe.runtime.shared.EvenKeys;
import org.apache.flink.annotation.Experimental;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.streaming.api.operators.SimpleOperatorFactory;

/** The test harness of a combine. {@link OperatorHarnesses} creates it. */
@Experimental
public final class CombineHarness
        extends TwoInputHarness<RoutedBlock, ContributionBlock, TokenBlock> {

    CombineHarness(Combine combine, EvenKeys lanes, MockEnvironment environment) throws Exception {
        super(
                combine,
                SimpleOperatorFactory.of(combine),
                new Inputs<>(
                        block -> lanes.keyOf(block.tokens().lane()),
                        block -> lanes.keyOf(block.lane())),
                environment);
    }

    /** Sends blocks of the router or the dispatch to the combine. */
    public void send(RoutedBlock... blocks) throws Exception {
        for (RoutedBlock block : blocks) {
            sendFirst(block);
        }
    }

    /** Sends blocks of the experts to the combine. */
    public void send(ContributionBlock... blocks) throws Exception {
        for (ContributionBlock block : blocks) {
            sendSecond(block);
        }
    }
}
