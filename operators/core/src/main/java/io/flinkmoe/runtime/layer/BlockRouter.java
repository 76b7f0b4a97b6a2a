// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.layer;

import ai.onnxruntime.OrtException;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.capacity.AdmissionScore;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.config.RouterSettings;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.onnx.BundleSessions;
import io.flinkmoe.onnx.layer.LayerRouter;
import io.flinkmoe.onnx.layer.Routed;
import io.flinkmoe.onnx.layer.RouterBatch;
import io.flinkmoe.onnx.layer.RoutingFault;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.GateRanks;
import io.flinkmoe.runtime.block.TokenBlock;
import io.flinkmoe.runtime.shared.ChoiceCounter;
import java.util.Arrays;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Scores the tokens of blocks against the N experts and chooses the k most probable of each. Tokens
 * that a model cannot read become dead letters; router logits go to their side output. What happens
 * with the choices is up to the receiver. Not thread-safe.
 */
@Internal
public final class BlockRouter {

    /** Receives the routed tokens of a block, in order; in several parts if some are rejected. */
    @FunctionalInterface
    public interface Receiver {
        /**
         * @param routed the results of the models; the next call reuses them
         * @param choices the choices [T, k], PENDING if an expert determines the outcome
         * @param draws the random numbers of these tokens; null if there are none
         */
        void accept(TokenBlock tokens, Routed routed, Choices choices, NoiseSource draws)
                throws Exception;
    }

    /**
     * The operator that runs a router.
     *
     * @param output receives dead letters and router logits in side outputs
     * @param metrics the group for the metrics
     * @param counter counts the choices of windows
     */
    public record Host(Output<?> output, MetricGroup metrics, ChoiceCounter counter) {}

    private final LayerRouter router;
    private final LayerSpec spec;
    private final int layer;
    private final TokensWithoutOutput withoutInput;
    private final InputLayout inputs;
    private final boolean dropsStrings;
    private final boolean needsDraws;
    private final RouterSettings settings;
    private final Output<?> output;
    private final UnreadableTokens unreadable;
    private final RouterOutcomes outcomes;
    private final HealthWindows[] health; // by gate; null for a rule
    private final RouterMetrics metrics;
    private final LogitsOutput logits;
    private final MetricGroup group;
    private final int[] sizes; // ranks of each gate

    /**
     * @param layer the MoE layer, counted from 0
     * @param maxRows the maximum number of tokens in a block
     */
    public BlockRouter(
            BundleSessions sessions, int layer, int maxRows, RouterSettings settings, Host host)
            throws BundleException {
        this.router = new LayerRouter(sessions, layer, maxRows, settings.capacity());
        this.spec = sessions.spec().layers().get(layer);
        this.layer = layer;
        this.withoutInput = TokensWithoutOutput.before(layer, sessions.spec());
        this.settings = settings;
        this.output = host.output;
        this.needsDraws =
                settings.capacity().score() == AdmissionScore.RANDOM_DRAW
                        || spec.gates().stream().anyMatch(GateSpec::isNoisy);
        inputs =
                layer == 0
                        ? sessions.spec().inputLayout()
                        : InputLayout.vector(router.inputWidth());
        dropsStrings = !sessions.spec().readsColumnsAfter(layer);
        unreadable =
                new UnreadableTokens(
                        layer, inputs, sessions.spec().version(), () -> router.route(zeros()));
        outcomes = new RouterOutcomes(host.counter, spec.choices());
        metrics = new RouterMetrics(host.metrics);
        group = host.metrics;
        health = new HealthWindows[spec.gates().size()];
        for (int gate = 0; gate < health.length; gate++) {
            if (spec.gates().get(gate).rule() == null) {
                health[gate] =
                        new HealthWindows(
                                settings.capacity().windows(),
                                gate,
                                spec.gates().get(gate).routing());
                RouterMetrics.register(RouterMetrics.groupOf(group, spec, gate), health[gate]);
            }
        }
        logits = new LogitsOutput(output, layer);
        sizes = spec.gates().stream().mapToInt(GateSpec::k).toArray();
    }

    /** A token of zeros and empty strings. */
    private RouterBatch zeros() {
        String[] strings = new String[inputs.strings()];
        Arrays.fill(strings, "");
        return new RouterBatch(
                new byte[router.inputWidth() * Float.BYTES],
                strings,
                new String[1],
                RouterBatch.NONE_ABSENT,
                null);
    }

    /** The columns of the tokens that arrive here: after the first layer, a vector. */
    public InputLayout inputs() {
        return inputs;
    }

    /** The layer. */
    public LayerSpec spec() {
        return spec;
    }

    /** The width of the vectors that {@link #route} takes. */
    public int inputWidth() {
        return router.inputWidth();
    }

    /** Counts the choices. */
    public RouterOutcomes outcomes() {
        return outcomes;
    }

    /** The metrics of the router. */
    public RouterMetrics metrics() {
        return metrics;
    }

    /** Registers the metrics of the experts, which are not registered otherwise. */
    public void registerShares() {
        for (int gate = 0; gate < health.length; gate++) {
            if (health[gate] != null) {
                RouterMetrics.registerShares(
                        RouterMetrics.groupOf(group, spec, gate),
                        health[gate],
                        spec.expertsOf(gate));
            }
        }
    }

    /** Routes a block of at most {@code maxRows} tokens. */
    public void route(TokenBlock tokens, Receiver receiver) throws Exception {
        routeReadable(tokens, receiver);
        for (DeadLetter deadLetter : unreadable.take()) {
            metrics.deadLetters.inc();
            output.collect(DeadLetter.OUTPUT, new StreamRecord<>(deadLetter));
        }
    }

    /** Closes the windows of the routing health that end at or before a watermark. */
    public void advance(long watermark) {
        for (HealthWindows ofGate : health) {
            if (ofGate != null) {
                ofGate.advance(watermark);
            }
        }
    }

    /**
     * Routes a block. If a model throws, for example an encoder at an unknown category, the block
     * is halved until each token that causes an exception is alone; these tokens are unreadable.
     */
    private void routeReadable(TokenBlock tokens, Receiver receiver) throws Exception {
        NoiseSource draws = draws(tokens);
        long start = System.nanoTime();
        Routed routed;
        try {
            routed =
                    router.route(
                            new RouterBatch(
                                    tokens.vectors(),
                                    tokens.strings(),
                                    tokens.streams(),
                                    withoutInput.flags(tokens),
                                    draws));
        } catch (OrtException e) {
            if (tokens.rows() == 1) {
                unreadable.add(tokens, e);
            } else {
                int half = (tokens.rows() + 1) / 2;
                for (TokenBlock part : tokens.slices(half, router.inputWidth())) {
                    routeReadable(part, receiver);
                }
            }
            return;
        }
        unreadable.markReadable();
        metrics.routingTime.update((System.nanoTime() - start) / 1000);
        if (!routed.hasFaults() || !reject(tokens, routed, receiver)) {
            choose(tokens, routed, draws, receiver);
        }
    }

    /**
     * If encodings are not finite, or no rule matches, rejects these tokens and routes the others
     * again.
     *
     * @return whether there are such tokens
     */
    private boolean reject(TokenBlock tokens, Routed routed, Receiver receiver) throws Exception {
        int width = router.inputWidth();
        int[] others = routed.acceptedRows(tokens.rows());
        if (others.length == tokens.rows()) {
            return false;
        }
        int[] unencoded = routed.rowsWith(RoutingFault.ENCODING, tokens.rows());
        if (unencoded.length > 0) {
            unreadable.addNotFinite(tokens.select(unencoded, width), width);
            metrics.nonFiniteEncodings.inc(unencoded.length);
        }
        int[] unmatched = routed.rowsWith(RoutingFault.NO_MATCH, tokens.rows());
        if (unmatched.length > 0) {
            unreadable.addWithoutExpert(tokens.select(unmatched, width), width);
        }
        if (others.length > 0) {
            routeReadable(tokens.select(others, width), receiver);
        }
        return true;
    }

    /** Returns the draws for noise and random admission; null if there is neither. */
    private NoiseSource draws(TokenBlock tokens) {
        return needsDraws ? settings.draws().of(tokens.streams(), tokens.positions(), layer) : null;
    }

    private void choose(TokenBlock tokens, Routed routed, NoiseSource draws, Receiver receiver)
            throws Exception {
        int rows = tokens.rows();
        Choices choices = choices(routed, rows);
        outcomes.set(tokens, routed, choices);
        for (HealthWindows ofGate : health) {
            if (ofGate != null) {
                ofGate.add(tokens, routed, choices);
            }
        }
        metrics.countFaults(routed, rows);
        metrics.tokensRouted.inc(rows);
        metrics.batchSize.update(rows);
        receiver.accept(dropsStrings ? tokens.withoutStrings() : tokens, routed, choices, draws);
        if (settings.emitLogits()) {
            logits.emit(tokens, routed);
        }
    }

    private Choices choices(Routed routed, int rows) {
        boolean one = routed.hasOneGate();
        float[] scores = settings.keepScores() ? routed.scoresOfGates(rows) : Choices.NO_SCORES;
        int k = routed.k();
        return new Choices(
                k,
                Arrays.copyOf(routed.experts(), rows * routed.ranks()),
                one ? routed.weightsOfGates(rows) : Choices.NO_SCORES,
                one ? scores : Choices.NO_SCORES,
                new byte[rows * k],
                new byte[rows * k],
                one
                        ? GateRanks.ONE
                        : new GateRanks(
                                sizes, routed.places(rows), routed.weightsOfGates(rows), scores));
    }
}
