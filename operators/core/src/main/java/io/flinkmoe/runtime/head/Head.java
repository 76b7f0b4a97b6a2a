// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.head;

import ai.onnxruntime.OrtException;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.Windows;
import io.flinkmoe.column.OutputRows;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.Device;
import io.flinkmoe.onnx.layer.ModelHead;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.layer.TokensWithoutOutput;
import io.flinkmoe.runtime.shared.LocalBundle;
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
    private transient ModelHead head;
    private transient HeadMetrics metrics;
    private transient String version;
    private transient boolean namesOutputs;
    private transient BundleSpec spec;
    private transient TokensWithoutOutput withoutOutput;

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
        spec = sessions.spec();
        withoutOutput = TokensWithoutOutput.before(spec.layers().size(), spec);
        namesOutputs = !spec.answersWithVector();
        head = ModelHead.of(sessions, maxRows);
    }

    @Override
    public void processElement(StreamRecord<TokenBlock> element) throws FlinkException {
        // A block from a checkpoint can be larger than the batch size that is configured now.
        for (TokenBlock tokens : element.getValue().slices(maxRows, spec.lastSize())) {
            score(tokens);
        }
    }

    private void score(TokenBlock tokens) throws FlinkException {
        OutputRows outputs = run(tokens);
        for (int row = 0; row < tokens.rows(); row++) {
            boolean isAbsent = withoutOutput.contains(tokens, row);
            if (!isAbsent && !outputs.isFinite(row)) {
                reject(tokens, row);
                continue;
            }
            ScoredToken scored =
                    new ScoredToken(
                            tokens.streams()[row],
                            tokens.positions()[row],
                            tokens.timestamps()[row],
                            isAbsent ? null : outputs.floats(row),
                            isAbsent || !namesOutputs ? null : outputs.row(row),
                            version,
                            decisions(tokens.layers(), row),
                            tokens.origin(row).partition(),
                            tokens.payload(row));
            output.collect(new StreamRecord<>(scored, scored.timestamp()));
            if (logDecisions) {
                logDecisions(tokens, row);
            }
        }
    }

    private OutputRows run(TokenBlock tokens) throws FlinkException {
        try {
            return head.run(tokens.vectors(), tokens.rows());
        } catch (OrtException e) {
            throw new FlinkException(
                    "%s (model version %s) failed on %d tokens, from position %d of stream %s: %s"
                            .formatted(
                                    head.describe(),
                                    version,
                                    tokens.rows(),
                                    tokens.positions()[0],
                                    tokens.streams()[0],
                                    e.getMessage()),
                    e);
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
        DecisionRecord.Layer[] layers = new DecisionRecord.Layer[tokens.layers().length];
        for (int layer = 0; layer < layers.length; layer++) {
            layers[layer] = Decisions.ranked(tokens.layers()[layer], row, spec.layers().get(layer));
        }
        DecisionRecord entry =
                new DecisionRecord(
                        tokens.streams()[row],
                        tokens.positions()[row],
                        timestamp,
                        windows.startOf(timestamp),
                        version,
                        layers,
                        tokens.origin(row).partition());
        output.collect(DecisionRecord.DECISIONS, new StreamRecord<>(entry, timestamp));
    }

    private static Decision[] decisions(Choices[] layers, int row) {
        Decision[] decisions = new Decision[layers.length];
        for (int layer = 0; layer < layers.length; layer++) {
            decisions[layer] = Decisions.of(layers[layer], row);
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
