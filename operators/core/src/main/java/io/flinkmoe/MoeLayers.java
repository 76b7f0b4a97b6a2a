// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.LayerNames;
import io.flinkmoe.api.Token;
import io.flinkmoe.api.TokenCheck;
import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.config.Draws;
import io.flinkmoe.config.Footprint;
import io.flinkmoe.config.JobSettings;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.onnx.check.ModelCheck;
import io.flinkmoe.runtime.BlockRows;
import io.flinkmoe.runtime.JobChecks;
import io.flinkmoe.runtime.Topology;
import io.flinkmoe.runtime.shared.LocalBundle;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.util.Preconditions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Adds the MoE layers of a model bundle to a streaming job: tokens in, scored tokens out.
 *
 * <pre>{@code
 * MoeResult result = MoeLayers.builder(options).name("fraud").build().score(tokens);
 * result.scored().sinkTo(scores);
 * result.deadLetters().sinkTo(rejects);
 * }</pre>
 *
 * <p>Each layer has a router keyed by lane, an expert operator keyed by expert (one more for each
 * round of next-expert overflow), and a combine keyed by lane. Streams are hashed to lanes ({@link
 * MoeOptions#LANES}). Every operator has its own uid and maximum parallelism, so state can be
 * restored after the surrounding job or its parallelism changes.
 */
@PublicEvolving
public final class MoeLayers {

    private static final Logger LOG = LoggerFactory.getLogger(MoeLayers.class);

    private final LocalBundle bundle;
    private final BundleSpec spec;
    private final MoeSettings settings;
    private final JobSettings job;
    private final Footprint footprint;
    private final Set<String> inexact;

    /**
     * @param inexact the models for which a row's bits depend on the other rows of a call
     */
    private MoeLayers(
            LocalBundle bundle,
            MoeSettings settings,
            JobSettings job,
            Footprint footprint,
            Set<String> inexact) {
        this.bundle = bundle;
        this.spec = footprint.spec();
        this.settings = settings;
        this.job = job;
        this.footprint = footprint;
        this.inexact = inexact;
        warning().ifPresent(LOG::warn);
    }

    /**
     * Returns a builder of layers with these options.
     *
     * @param options all {@link MoeOptions} and {@link io.flinkmoe.config.PlacementOptions}
     */
    public static Builder builder(ReadableConfig options) {
        return new Builder(options);
    }

    /** The input columns of the model, of which a token has the values. */
    public InputLayout inputs() {
        return spec.inputLayout();
    }

    /** The outputs of the model, which a scored token has. */
    public ColumnLayout outputs() {
        return spec.outputLayout();
    }

    /** The names of the gates and experts, layer by layer. */
    public List<LayerNames> layerNames() {
        return spec.layers().stream().map(LayerNames::of).toList();
    }

    /** Whether there are windows, so that tokens can be late. Only layers with a capacity have. */
    public boolean hasWindows() {
        return settings.windows().areBounded();
    }

    /** The version of the bundle. Every scored token carries it. */
    public String modelVersion() {
        return spec.version();
    }

    /** An estimate of the memory and state that the layers need. */
    public Footprint footprint() {
        return footprint;
    }

    /**
     * Says for which models the guarantee of the same bits does not hold; empty if it holds, or if
     * {@link PlacementOptions#ROW_BY_ROW} makes it hold.
     */
    public Optional<String> warning() {
        return inexact.isEmpty() || settings.rowByRow()
                ? Optional.empty()
                : Optional.of(
                        "a row's result may depend on the other rows of a call, in its last bits, for %s. So the guarantee of the same bits does not hold for this model; %s: true makes it hold, but is slower"
                                .formatted(
                                        String.join(", ", inexact),
                                        PlacementOptions.ROW_BY_ROW.key()));
    }

    /**
     * Opens every distinct model of the bundle with ONNX Runtime, one at a time. {@link
     * Builder#build()} opens only what is not recorded in the bundle and is small.
     *
     * @throws BundleException if a model cannot be opened; the message has ONNX Runtime's words
     */
    @Internal
    public void openModels() throws BundleException {
        try (LocalBundle.Lease lease = bundle.lease()) {
            ModelCheck.openAll(lease.bundle(), runsOnGpu(settings));
        }
    }

    private static boolean runsOnGpu(MoeSettings settings) {
        return settings.placement().device().kind() == PlacementOptions.Device.CUDA;
    }

    /**
     * Scores tokens. Tokens that the model cannot score (no stream, wrong width, NaN …) are
     * rejected: they become dead letters. All tokens of a stream must be in one subtask of {@code
     * tokens}, in order.
     *
     * @throws IllegalConfigurationException if the job has an execution or checkpointing mode that
     *     is not supported, or unites inputs of different parallelism
     */
    public MoeResult score(DataStream<Token> tokens) {
        JobChecks.checkOrder(tokens);
        InputLayout inputs = spec.inputLayout();
        String check = job.name() + "-check";
        return scoreArrivals(
                tokens.map(token -> TokenCheck.arrival(token, inputs), Arrival.TYPE)
                        .name(check)
                        .uid(check)
                        .setParallelism(tokens.getParallelism())
                        .setMaxParallelism(Topology.ANY_PARALLELISM));
    }

    /**
     * Scores records that the source has already checked. Dead letters are forwarded to {@link
     * MoeResult#deadLetters()}. If an arrival names its partition, only the timestamps of that
     * partition decide whether its token is late; see {@link Builder#maxOutOfOrderness}.
     *
     * @throws IllegalConfigurationException if the job has an execution or checkpointing mode that
     *     is not supported, or unites inputs of different parallelism
     */
    public MoeResult scoreArrivals(DataStream<Arrival> arrivals) {
        JobChecks.checkEnvironment(arrivals.getExecutionEnvironment());
        JobChecks.checkOrder(arrivals);
        return new MoeResult(new Topology(bundle, spec, settings, job).of(arrivals), job);
    }

    /** Defines {@link MoeLayers}. */
    @PublicEvolving
    public static final class Builder {

        private final ReadableConfig options;
        private String name = "moe";
        private boolean decisionLog;
        private boolean routerLogits;
        private boolean divertLateTokens;
        private Duration maxOutOfOrderness = Duration.ZERO;
        private Draws draws = Draws.SEEDED;

        private Builder(ReadableConfig options) {
            this.options = options;
        }

        /**
         * Sets the prefix of all operator names and uids. The default is {@code moe}. Two sets of
         * layers in one job need two names. Changing the name abandons the state.
         */
        public Builder name(String prefix) {
            Preconditions.checkArgument(
                    prefix != null && !prefix.isBlank(),
                    "name is '%s'; allowed: a text that is not blank",
                    prefix);
            this.name = prefix;
            return this;
        }

        /** Emits {@link MoeResult#decisions()}. */
        public Builder decisionLog() {
            this.decisionLog = true;
            return this;
        }

        /** Emits {@link MoeResult#routerLogits()}. */
        public Builder routerLogits() {
            this.routerLogits = true;
            return this;
        }

        /**
         * Sends late tokens to {@link MoeResult#lateTokens()}. By default they are scored with
         * their residual only, and their outcome is LATE.
         */
        public Builder divertLateTokens() {
            this.divertLateTokens = true;
            return this;
        }

        /**
         * Sets how far timestamps within one partition may be out of order. The default is 0. Set
         * the same duration as in the watermark strategy. It applies to arrivals that name their
         * partition: a token is late if its window ended more than this duration before the newest
         * timestamp of its partition.
         */
        public Builder maxOutOfOrderness(Duration allowed) {
            Preconditions.checkArgument(
                    !allowed.isNegative(), "maxOutOfOrderness is %s; allowed: 0 or more", allowed);
            this.maxOutOfOrderness = allowed;
            return this;
        }

        /** Replaces the seeded draws of router noise and random admission, for tests. */
        @Internal
        public Builder draws(Draws others) {
            this.draws = others;
            return this;
        }

        /**
         * Reads and checks the bundle and all options.
         *
         * @throws BundleException if the bundle cannot be read or is invalid, or ONNX Runtime
         *     cannot open a model of it
         * @throws IllegalConfigurationException if an option is invalid; the message names the key,
         *     the value and what is allowed
         */
        public MoeLayers build() throws BundleException {
            String location =
                    options.getOptional(MoeOptions.BUNDLE)
                            .orElseThrow(
                                    () ->
                                            new IllegalConfigurationException(
                                                    "%s is not set; give the directory of a model bundle"
                                                            .formatted(MoeOptions.BUNDLE.key())));
            try (LocalBundle.Lease lease = new LocalBundle(location, null).lease()) {
                return build(location, lease.bundle());
            }
        }

        private MoeLayers build(String location, Bundle bundle) throws BundleException {
            BundleSpec spec = bundle.spec();
            MoeSettings settings = MoeSettings.of(options);
            JobChecks.checkCalls(settings, spec);
            JobChecks.checkCapacity(settings.capacity(), spec);
            Set<String> inexact = ModelCheck.openUnrecorded(bundle, runsOnGpu(settings));
            return new MoeLayers(
                    new LocalBundle(
                            location,
                            spec.version(),
                            settings.rowByRow() ? Set.copyOf(inexact) : Set.of()),
                    settings,
                    new JobSettings(
                            name,
                            decisionLog,
                            routerLogits,
                            divertLateTokens,
                            maxOutOfOrderness,
                            draws),
                    Footprint.of(bundle, settings, BlockRows.largest(spec, settings)),
                    inexact);
        }
    }
}
