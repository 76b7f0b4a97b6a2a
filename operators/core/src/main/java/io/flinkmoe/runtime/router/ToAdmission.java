// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import io.flinkmoe.capacity.AdmissionScore;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.onnx.layer.Routed;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.runtime.block.AdmissionInputSerializer;
import io.flinkmoe.runtime.block.CandidateBlock;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.RoutedBlock;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.block.Vectors;
import io.flinkmoe.runtime.block.WindowTokens;
import io.flinkmoe.runtime.shared.TaskOutputs;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * With a capacity: sends the vectors to the dispatch, once, and the choices without vectors to the
 * admission of the experts. Where the admission decides on arrival, each block is sent at once: the
 * tokens wait for the decisions, whatever the buffer timeout. Where the capacity depends on the
 * number of tokens in a window, it reports that to the admission of every expert before the
 * watermark that closes the window.
 */
@Internal
final class ToAdmission implements RoutedOutput {

    private final Output<StreamRecord<RoutedBlock>> output;
    private final Capacity capacity;
    private final int numExperts;
    private final TaskOutputs buffers;
    private final CandidatesByExpert candidates;

    /**
     * @param layer the layer of the router
     * @param buffers the buffers of the output
     */
    ToAdmission(
            Output<StreamRecord<RoutedBlock>> output,
            Capacity capacity,
            LayerSpec layer,
            TaskOutputs buffers) {
        this.output = output;
        this.buffers = buffers;
        this.capacity = capacity;
        this.numExperts = layer.numExperts();
        this.candidates =
                new CandidatesByExpert(numExperts, capacity.attempts(), !layer.hasOneGate());
    }

    @Override
    public void send(
            long batch, TokenBlock tokens, Routed routed, Choices choices, NoiseSource draws) {
        int rows = tokens.rows();
        boolean isCarried = routed.hidden() == routed.carried();
        output.collect(
                new StreamRecord<>(
                        new RoutedBlock(
                                batch,
                                tokens.withVectors(routed.carried()),
                                choices,
                                routed.scales(rows),
                                isCarried ? Vectors.NONE : Vectors.of(routed.hidden()))));
        boolean areKept =
                choices.scores().length > 0 && capacity.score() == AdmissionScore.GATE_SCORE;
        float[] scores =
                areKept ? choices.scores() : routed.admissionScores(capacity.score(), rows, draws);
        for (CandidateBlock block :
                candidates.split(batch, tokens, choices, scores, routed.choiceRanks(rows))) {
            output.collect(AdmissionInputSerializer.OUTPUT, new StreamRecord<>(block));
        }
        if (!capacity.decidesAtClose(0)) {
            buffers.flush(); // Otherwise the decisions come one buffer timeout later.
        }
    }

    @Override
    public void close(int lane, long windowStart, WindowCounts counts) {
        int tokens = (int) counts.tokens();
        if (tokens == 0 || !capacity.dependsOnTokens()) {
            return;
        }
        for (int expert = 0; expert < numExperts; expert++) {
            output.collect(
                    AdmissionInputSerializer.OUTPUT,
                    new StreamRecord<>(new WindowTokens(expert, lane, windowStart, tokens)));
        }
    }
}
