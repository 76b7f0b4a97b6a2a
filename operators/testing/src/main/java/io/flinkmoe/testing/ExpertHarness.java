// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.runtime.block.ContributionBlock;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.expert.Expert;
import io.flinkmoe.runtime.shared.EvenKeys;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.flink.annotation.Experimental;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;

/** The test harness of the experts of a layer. {@link OperatorHarnesses} creates it. */
@Experimental
public final class ExpertHarness
        extends KeyedOneInputStreamOperatorTestHarness<Integer, ExpertRows, ContributionBlock> {

    ExpertHarness(Expert expert, EvenKeys experts, MockEnvironment environment) throws Exception {
        super(expert, block -> experts.keyOf(block.expert()), Types.INT, environment);
    }

    /** Sends rows to the experts. */
    public void send(ExpertRows... blocks) throws Exception {
        for (ExpertRows block : blocks) {
            processElement(new StreamRecord<>(block));
        }
    }

    /**
     * Returns the outcome of each choice that has a result.
     *
     * @throws IllegalStateException if a choice has two results
     */
    public SortedMap<Integer, Outcome> outcomes() {
        SortedMap<Integer, Outcome> outcomes = new TreeMap<>();
        for (ContributionBlock result : extractOutputValues()) {
            for (int i = 0; i < result.choices().length; i++) {
                Outcome outcome = Outcome.ofCode(result.outcomes()[i]);
                if (outcomes.put(result.choices()[i], outcome) != null) {
                    throw new IllegalStateException(
                            "choice %d has two results".formatted(result.choices()[i]));
                }
            }
        }
        return outcomes;
    }

    /** Counts the entries of any state backend. */
    @Override
    public int numKeyedStateEntries() {
        return Harnesses.keyedStateEntries(this);
    }

    @Override
    public void close() {
        Harnesses.close(super::close, getEnvironment());
    }
}
