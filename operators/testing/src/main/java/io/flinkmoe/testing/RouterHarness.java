// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.runtime.block.AdmissionInput;
import io.flinkmoe.runtime.block.AdmissionInputSerializer;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.router.Router;
import io.flinkmoe.runtime.shared.EvenKeys;
import java.util.List;
import org.apache.flink.annotation.Experimental;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;

/** The test harness of a router. {@link OperatorHarnesses} creates it. */
@Experimental
public final class RouterHarness
        extends KeyedOneInputStreamOperatorTestHarness<Integer, TokenBlock, RoutedBlock> {

    RouterHarness(Router router, EvenKeys lanes, MockEnvironment environment) throws Exception {
        super(router, block -> lanes.keyOf(block.lane()), Types.INT, environment);
    }

    /** Sends blocks to the router. */
    public void send(TokenBlock... blocks) throws Exception {
        for (TokenBlock block : blocks) {
            processElement(new StreamRecord<>(block));
        }
    }

    /** Returns the routed blocks, for the combine or the dispatch. */
    public List<RoutedBlock> routed() {
        return extractOutputValues();
    }

    /** Returns the rows for the experts; none with a capacity. */
    public List<ExpertRows> rows() {
        return Harnesses.values(this, ExpertRows.OUTPUT);
    }

    /** Returns the candidates for the admission, without window reports. */
    public List<CandidateBlock> candidates() {
        return toAdmission().stream()
                .filter(CandidateBlock.class::isInstance)
                .map(CandidateBlock.class::cast)
                .toList();
    }

    /** Returns all records for the admission; none without a capacity. */
    public List<AdmissionInput> toAdmission() {
        return Harnesses.values(this, AdmissionInputSerializer.OUTPUT);
    }

    @Override
    public void close() {
        Harnesses.close(super::close, getEnvironment());
    }
}
