// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.onnx.layer.Routed;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.ExpertRows;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.layer.RowList;
import io.flinkmoe.runtime.layer.RowsByExpert;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Without a capacity: sends the vectors of the choices to the experts at once, and the residuals to
 * the combine.
 */
@Internal
record ToExperts(Output<StreamRecord<RoutedBlock>> output, RowsByExpert rows)
        implements RoutedOutput {

    @Override
    public void send(
            long batch, TokenBlock tokens, Routed routed, Choices choices, NoiseSource draws) {
        output.collect(
                new StreamRecord<>(
                        new RoutedBlock(
                                batch,
                                tokens.withVectors(routed.carried()),
                                choices,
                                routed.scales(tokens.rows()),
                                Vectors.NONE)));
        int[] all = RowList.all(tokens.rows());
        for (ExpertRows ofExpert :
                rows.split(tokens.lane(), batch, choices, routed.hidden(), all)) {
            output.collect(ExpertRows.OUTPUT, new StreamRecord<>(ofExpert));
        }
    }

    @Override
    public void close(int lane, long windowStart, WindowCounts counts) {
        throw new IllegalStateException("there are no windows without a capacity");
    }
}
