// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.head;

import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.Windows;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.Device;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.shared.LocalBundle;
import io.flinkmoe.tensor.Floats;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.util.FlinkException;

/**
 * Runs the bundle's head, if it has one, on each block of the last combine, and emits one {@link
 * ScoredToken} per token. A token for which the output is not finite is rejected. Chained between
 * the last combine and the sink.
 */
@Internal
public final class Head extends AbstractStreamOperator<ScoredToken>
        implements OneInputStreamOperator<TokenBlock, ScoredToken> {

    private static final long serialVersionUID = 1L;

    private final LocalBundle bundle;
    private final int maxRows;
    private final Windows windows;
    private final boolean logDecisions;

    private transient BundleSessions sessions;
    private transient HeadModel head;
    private transient HeadMetrics metrics;
    private transient String version;
    private transient int width;
    private transient int hiddenSize;

    /**
     * @param maxRows the maximum number of tokens in a block
     * @param windows the windows in which capacity is counted
     * @param logDecisions whether to emit {@link DecisionRecord#DECISIONS}
     */
    public Head(LocalBundle bundle, int maxRows, Windows windows, boolean logDecisions) {
        this.bundle = bundle;
        this.maxRows = maxRows;
        this.windows = windows;
        this.logDecisions = logDecisions;
    }

    @Override
    public void open() throws Exception {
        super.open();
        sessions = bundle.sessions(getRuntimeContext(), Device.CPU);
        version = sessions.spec().version();
        metrics = new HeadMetrics(getMetricGroup());
        width = sessions.spec().outputSize();
        hiddenSize = sessions.spec().hiddenSize();
        head =
                sessions.spec().head() == null
                        ? new HeadModel.None(width)
                        : new HeadModel.Onnx(sessions.head(), version, maxRows);
    }

    @Override
    public void processElement(StreamRecord<TokenBlock> element) throws FlinkException {
        // A block from a checkpoint can be larger than the batch size that is configured now.
        for (TokenBlock tokens : element.getValue().slices(maxRows, hiddenSize)) {
            score(tokens);
        }
    }

    private void score(TokenBlock tokens) throws FlinkException {
        float[] values = head.outputs(tokens);
        boolean allFinite = Floats.allFinite(values, 0, values.length);
        for (int row = 0; row < tokens.rows(); row++) {
            if (!allFinite && !Floats.allFinite(values, row * width, width)) {
                reject(tokens, row);
                continue;
            }
            ScoredToken scored =
                    new ScoredToken(
                            tokens.streams()[row],
                            tokens.positions()[row],
                            tokens.timestamps()[row],
                            Arrays.copyOfRange(values, row * width, row * width + width),
                            version,
                            decisions(tokens.layers(), row));
            output.collect(new StreamRecord<>(scored, scored.timestamp()));
            if (logDecisions) {
                logDecisions(tokens, row);
            }
        }
    }

    /** Only the identity of the token is known here, not its input values. */
    private void reject(TokenBlock tokens, int row) {
        metrics.deadLetters.inc();
        Token token =
                new Token(
                        tokens.streams()[row],
                        tokens.positions()[row],
                        tokens.timestamps()[row],
                        new float[0]);
        String reason =
                "the head's output for position %d of stream %s (its input values are no longer known) is not finite"
                        .formatted(token.position(), token.stream());
        Rejection rejection = new Rejection(Rejection.Kind.OUTPUT_NOT_FINITE, reason);
        output.collect(
                DeadLetter.OUTPUT,
                new StreamRecord<>(DeadLetter.of(tokens.origin(row), token, rejection)));
    }

    private void logDecisions(TokenBlock tokens, int row) {
        long timestamp = tokens.timestamps()[row];
        long window = windows.startOf(timestamp);
        output.collect(
                DecisionRecord.DECISIONS,
                new StreamRecord<>(decisionRecord(tokens, row, window, version), timestamp));
    }

    /**
     * Returns the entry of the decision log for one token of a block that has passed all layers.
     */
    static DecisionRecord decisionRecord(
            TokenBlock tokens, int row, long windowStart, String version) {
        DecisionRecord.Layer[] layers = new DecisionRecord.Layer[tokens.layers().length];
        for (int i = 0; i < layers.length; i++) {
            Choices choices = tokens.layers()[i].select(new int[] {row});
            Outcome[] outcomes = new Outcome[choices.k()];
            int[] attempts = new int[choices.k()];
            for (int choice = 0; choice < outcomes.length; choice++) {
                outcomes[choice] = Outcome.ofCode(choices.outcomes()[choice]);
                attempts[choice] = choices.attempts()[choice];
            }
            layers[i] =
                    new DecisionRecord.Layer(
                            choices.experts(),
                            scores(choices),
                            choices.weights(),
                            outcomes,
                            attempts);
        }
        return new DecisionRecord(
                tokens.streams()[row],
                tokens.positions()[row],
                tokens.timestamps()[row],
                windowStart,
                version,
                layers);
    }

    private static float[] scores(Choices choices) {
        if (choices.scores().length > 0) {
            return choices.scores();
        }
        float[] unknown = new float[choices.experts().length];
        Arrays.fill(unknown, Float.NaN);
        return unknown;
    }

    private static Decision[] decisions(Choices[] layers, int row) {
        Decision[] decisions = new Decision[layers.length];
        for (int layer = 0; layer < layers.length; layer++) {
            Choices choices = layers[layer];
            int k = choices.k();
            decisions[layer] = new Decision(new int[k], new float[k], new Outcome[k]);
            for (int rank = 0; rank < k; rank++) {
                int choice = row * k + rank;
                int at = choices.finalAt(choice);
                decisions[layer].experts()[rank] = choices.experts()[at];
                decisions[layer].weights()[rank] = choices.weights()[at];
                decisions[layer].outcomes()[rank] = Outcome.ofCode(choices.outcomes()[choice]);
            }
        }
        return decisions;
    }

    @Override
    public void close() throws Exception {
        if (sessions != null) {
            sessions.close();
        }
        super.close();
    }
}
