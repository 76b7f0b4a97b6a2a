// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import io.flinkmoe.runtime.block.DecisionBlock;
import io.flinkmoe.runtime.block.RoutedBlock;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator;
import org.apache.flink.runtime.operators.coordination.OperatorEventDispatcher;
import org.apache.flink.streaming.api.operators.CoordinatedOperatorFactory;
import org.apache.flink.streaming.api.operators.SimpleOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.operators.TwoInputStreamOperatorFactory;

/** Connects a dispatch to the coordinator that announces checkpoints. */
@Internal
public final class DispatchFactory extends SimpleOperatorFactory<RoutedBlock>
        implements CoordinatedOperatorFactory<RoutedBlock>,
                TwoInputStreamOperatorFactory<RoutedBlock, DecisionBlock, RoutedBlock> {

    private static final long serialVersionUID = 1L;

    private final Dispatch dispatch;

    public DispatchFactory(Dispatch dispatch) {
        super(dispatch);
        this.dispatch = dispatch;
    }

    @Override
    public <T extends StreamOperator<RoutedBlock>> T createStreamOperator(
            StreamOperatorParameters<RoutedBlock> parameters) {
        OperatorID id = parameters.getStreamConfig().getOperatorID();
        OperatorEventDispatcher events = parameters.getOperatorEventDispatcher();
        events.registerEventHandler(id, dispatch);
        dispatch.connect(events.getOperatorEventGateway(id));
        return super.createStreamOperator(parameters);
    }

    @Override
    public OperatorCoordinator.Provider getCoordinatorProvider(String name, OperatorID id) {
        return new CheckpointAnnouncer.Provider(id);
    }
}
