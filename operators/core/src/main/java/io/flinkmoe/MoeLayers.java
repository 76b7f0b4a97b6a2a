package io.flinkmoe;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.stream.Arrival;
import io.flinkmoe.stream.DeadLetter;
import io.flinkmoe.stream.Draws;
import io.flinkmoe.stream.Footprint;
import io.flinkmoe.stream.LocalBundle;
import io.flinkmoe.stream.MoeOptions;
import io.flinkmoe.stream.MoeSettings;
import io.flinkmoe.stream.StreamTypes;
import io.flinkmoe.stream.Token;
import io.flinkmoe.stream.TokenCheck;
import java.io.IOException;
import java.time.Duration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.datastream.DataStream;

/**
 * The MoE layers of a bundle as a piece of a streaming job: tokens in, scored tokens out.
 *
 * <pre>{@code
 * MoeResult result = MoeLayers.of(options).score(tokens);
 * result.scored().sinkTo(...);
 * result.deadLetters().sinkTo(...);
 * }</pre>
 *
 * <p>Per layer: a {@link io.flinkmoe.stream.Router} keyed by lane, an {@link
 * io.flinkmoe.stream.Expert} keyed by expert (and one per round that overflow tries a next expert),
 * a {@link io.flinkmoe.stream.Combine} keyed by lane. Every operator has a uid and a maximum
 * parallelism of its own, so that state survives changes of the job around and of the parallelism.
 */
public final class MoeLayers {

    final LocalBundle bundle;
    final BundleSpec spec;
    final MoeSettings settings;

    /** What the caller asks for beside the options; set in a copy, before anyone sees it. */
    private String name = "moe";

    private boolean routerLogits;
    private boolean decisionLog;
    private boolean divertLate;
    private Draws draws = Draws.SEEDED;
    private Duration maxOutOfOrderness = Duration.ZERO;

    private MoeLayers(LocalBundle bundle, BundleSpec spec, MoeSettings settings) {
        this.bundle = bundle;
        this.spec = spec;
        this.settings = settings;
    }

    private MoeLayers copy() {
        MoeLayers copy = new MoeLayers(bundle, spec, settings);
        copy.name = name;
        copy.routerLogits = routerLogits;
        copy.decisionLog = decisionLog;
        copy.divertLate = divertLate;
        copy.draws = draws;
        copy.maxOutOfOrderness = maxOutOfOrderness;
        return copy;
    }

    /**
     * Reads the bundle and all {@link MoeOptions}.
     *
     * @throws BundleException if the bundle cannot be read or has a defect
     * @throws IllegalConfigurationException naming the key, the value and what is allowed
     */
    public static MoeLayers of(ReadableConfig options) throws BundleException {
        String location =
                options.getOptional(MoeOptions.BUNDLE)
                        .orElseThrow(
                                () ->
                                        new IllegalConfigurationException(
                                                "%s is not set; give the directory of a model bundle"
                                                        .formatted(MoeOptions.BUNDLE.key())));
        Bundle bundle = new LocalBundle(location, null).open();
        MoeSettings settings = MoeSettings.of(options);
        JobChecks.checkCalls(settings, bundle.spec());
        JobChecks.checkCapacity(settings.capacity(), bundle.spec());
        return new MoeLayers(
                new LocalBundle(location, bundle.spec().version()), bundle.spec(), settings);
    }

    /** The same layers under a name that their uids start with: one each for two in one job. */
    public MoeLayers named(String uidPrefix) {
        MoeLayers copy = copy();
        copy.name = uidPrefix;
        return copy;
    }

    /** The same layers, which also give {@link MoeResult#routerLogits()}. */
    public MoeLayers withRouterLogits() {
        MoeLayers copy = copy();
        copy.routerLogits = true;
        return copy;
    }

    /** The same layers, which also give {@link MoeResult#decisions()}. */
    public MoeLayers withDecisionLog() {
        MoeLayers copy = copy();
        copy.decisionLog = true;
        return copy;
    }

    /**
     * The same layers, where tokens that come too late for their window are not scored, but go to
     * {@link MoeResult#lateTokens()}; otherwise they keep their residual, with that outcome.
     */
    public MoeLayers divertingLateTokens() {
        MoeLayers copy = copy();
        copy.divertLate = true;
        return copy;
    }

    /** The same layers with other draws for noise and random admission, as a test records them. */
    public MoeLayers drawing(Draws otherDraws) {
        MoeLayers copy = copy();
        copy.draws = otherDraws;
        return copy;
    }

    /**
     * The same layers for arrivals that name their partition: a token is late when its window ended
     * more than so long before the newest token of its partition. Give what the watermarks allow.
     */
    public MoeLayers withMaxOutOfOrderness(Duration allowed) {
        MoeLayers copy = copy();
        copy.maxOutOfOrderness = allowed;
        return copy;
    }

    String name() {
        return name;
    }

    boolean givesRouterLogits() {
        return routerLogits;
    }

    boolean logsDecisions() {
        return decisionLog;
    }

    boolean divertsLate() {
        return divertLate;
    }

    Draws draws() {
        return draws;
    }

    Duration maxOutOfOrderness() {
        return maxOutOfOrderness;
    }

    /** The width of {@link Token#values()}. */
    public int inputWidth() {
        return spec.inputSize();
    }

    /** The version of the bundle, which every scored token bears. */
    public String modelVersion() {
        return spec.version();
    }

    /**
     * What the layers will take up.
     *
     * @throws IOException if the bundle is gone
     */
    public Footprint footprint() throws IOException {
        return Footprint.of(bundle.open(), settings, Topology.blockRows(spec, settings));
    }

    /**
     * Scores tokens; bad ones (no stream, wrong width, NaN …) become dead letters. Those of a
     * stream must come in one subtask, in their order.
     */
    public MoeResult score(DataStream<Token> tokens) {
        JobChecks.checkOrder(tokens);
        int width = spec.inputSize();
        return scoreArrivals(
                tokens.map(token -> check(token, width), StreamTypes.ARRIVAL)
                        .name(name + "-check")
                        .uid(name + "-check")
                        .setParallelism(tokens.getParallelism())
                        .setMaxParallelism(Topology.ANY_PARALLELISM));
    }

    private static Arrival check(Token token, int width) {
        String reason = TokenCheck.reasonToReject(token, width);
        return reason == null ? Arrival.of(token) : Arrival.of(DeadLetter.of(token, reason));
    }

    /** Scores what a source has checked already; dead letters pass through. */
    public MoeResult scoreArrivals(DataStream<Arrival> arrivals) {
        JobChecks.checkEnvironment(arrivals.getExecutionEnvironment());
        JobChecks.checkOrder(arrivals);
        return new Topology(this).of(arrivals);
    }
}
