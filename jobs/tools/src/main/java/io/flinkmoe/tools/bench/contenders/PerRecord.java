// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.DirectRows;
import io.flinkmoe.onnx.ExpertModel;
import io.flinkmoe.onnx.layer.LayerRouter;
import io.flinkmoe.onnx.layer.Routed;
import io.flinkmoe.tensor.Floats;
import java.nio.file.Path;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;

/**
 * What a user would write first: a map function that runs the router and the selected experts for
 * each record. The process shares sessions. Buffers are direct and reused, and outputs are pinned.
 */
@Internal
final class PerRecord extends RichMapFunction<Token, ScoredToken> {

    private static final long serialVersionUID = 1L;

    private final String bundle;

    private transient BundleSessions sessions;
    private transient LayerRouter router;
    private transient ExpertModel[] experts;
    private transient DirectRows input;
    private transient DirectRows output;
    private transient float[] values;
    private transient int d;
    private transient int k;

    PerRecord(Bundle bundle) {
        this.bundle = bundle.directory().toString();
    }

    @Override
    public void open(OpenContext context) throws Exception {
        sessions = new BundleSessions(Bundle.read(Path.of(bundle)));
        router = new LayerRouter(sessions, 0, 1);
        LayerSpec layer = sessions.spec().layers().get(0);
        experts = new ExpertModel[layer.numExperts()];
        for (int expert = 0; expert < experts.length; expert++) {
            experts[expert] = sessions.expert(0, expert);
        }
        d = layer.inputSize();
        k = layer.choices();
        input = new DirectRows(1, d);
        output = new DirectRows(1, d);
        values = new float[d];
    }

    @Override
    public ScoredToken map(Token token) throws Exception {
        Routed routed = router.route(Floats.toBytes(token.values()), 1);
        int[] chosen = Arrays.copyOf(routed.experts(), k);
        float[] weights = Arrays.copyOf(routed.weights(0), k);
        float[] sum = token.values().clone();
        input.put(token.values(), 0, 1);
        for (int rank = 0; rank < k; rank++) {
            experts[chosen[rank]].run(input, output, 1);
            output.get(values, 0, 1);
            Floats.addScaled(sum, weights[rank], values, d);
        }
        Outcome[] outcomes = new Outcome[k];
        Arrays.fill(outcomes, Outcome.EXECUTED);
        return new ScoredToken(
                token.stream(),
                token.position(),
                token.timestamp(),
                sum,
                sessions.spec().version(),
                new Decision[] {new Decision(chosen, weights, outcomes)});
    }

    @Override
    public void close() {
        if (sessions != null) {
            sessions.close();
        }
    }
}
