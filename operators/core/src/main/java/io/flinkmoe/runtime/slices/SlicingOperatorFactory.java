// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.slices;

import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator;
import org.apache.flink.runtime.operators.coordination.OperatorEventDispatcher;
import org.apache.flink.streaming.api.operators.CoordinatedOperatorFactory;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.SimpleOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.TwoInputStreamOperatorFactory;

/**
 * Connects an operator to the coordinator that announces checkpoints.
 *
 * @param <A> the records of the first input
 * @param <B> the records of the second input, if there is one
 * @param <O> the records of the output
 */
@Internal
public final class SlicingOperatorFactory<A, B, O> extends SimpleOperatorFactory<O>
        implements CoordinatedOperatorFactory<O>,
                OneInputStreamOperatorFactory<A, O>,
                TwoInputStreamOperatorFactory<A, B, O> {

    private static final long serialVersionUID = 1L;

    private final SlicingOperator<O> operator;

    public SlicingOperatorFactory(SlicingOperator<O> operator) {
        super(operator);
        this.operator = operator;
    }

    @Override
    public <T extends StreamOperator<O>> T createStreamOperator(
            StreamOperatorParameters<O> parameters) {
        OperatorID id = parameters.getStreamConfig().getOperatorID();
        OperatorEventDispatcher events = parameters.getOperatorEventDispatcher();
        events.registerEventHandler(id, operator);
        operator.connect(events.getOperatorEventGateway(id));
        return super.createStreamOperator(parameters);
    }

    @Override
    public OperatorCoordinator.Provider getCoordinatorProvider(String name, OperatorID id) {
        return new CheckpointAnnouncer.Provider(id);
    }
}
