// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.runtime.block.DispatchBlock;
import io.flinkmoe.runtime.block.ExpertInput;
import io.flinkmoe.runtime.block.ExpertInputSerializer;
import io.flinkmoe.runtime.block.ResidualBlock;
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
        extends KeyedOneInputStreamOperatorTestHarness<Integer, TokenBlock, ExpertInput> {

    RouterHarness(Router router, EvenKeys lanes, MockEnvironment environment) throws Exception {
        super(router, block -> lanes.keyOf(block.lane()), Types.INT, environment);
        setup(new ExpertInputSerializer());
    }

    /** Sends blocks to the router. */
    public void send(TokenBlock... blocks) throws Exception {
        for (TokenBlock block : blocks) {
            processElement(new StreamRecord<>(block));
        }
    }

    /** Returns the blocks for the experts, without window reports. */
    public List<DispatchBlock> dispatched() {
        return extractOutputValues().stream()
                .filter(DispatchBlock.class::isInstance)
                .map(DispatchBlock.class::cast)
                .toList();
    }

    /** Returns the blocks for the combine. */
    public List<ResidualBlock> residuals() {
        return Harnesses.values(this, Router.RESIDUALS);
    }

    @Override
    public void close() {
        Harnesses.close(super::close, getEnvironment());
    }
}
