// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.routing.RoutingConfig;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.util.Preconditions;

/**
 * A small model bundle for tests. By default its weights are random, so tokens are routed to
 * different experts. The same seed produces the same bundle.
 *
 * <pre>{@code
 * Configuration options = TinyBundle.builder().numExperts(8).topK(2).writeTo(folder).options();
 * MoeLayers layers = MoeLayers.builder(options).build();
 * }</pre>
 *
 * <p>ONNX Runtime sends telemetry to its vendor unless it is disabled. flink-moe therefore runs no
 * model unless the environment variable {@code ORT_DISABLE_TELEMETRY} is set. Set it to 1 in the
 * environment of the tests: in {@code <environmentVariables>} of Maven Surefire, with {@code
 * environment} of Gradle's test task, or in the run configuration of an IDE.
 */
@PublicEvolving
public final class TinyBundle {

    private final Bundle bundle;

    private TinyBundle(Bundle bundle) {
        this.bundle = bundle;
    }

    /** Returns a builder. All settings have defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** Returns the bundle that was written. */
    public Bundle bundle() {
        return bundle;
    }

    /** Returns new options whose {@code moe.bundle} is this bundle. The caller may set others. */
    public Configuration options() {
        return new Configuration().set(MoeOptions.BUNDLE, bundle.directory().toString());
    }

    /** Defines a {@link TinyBundle}. */
    @PublicEvolving
    public static final class Builder {

        private int numExperts = 4;
        private int topK = 2;
        private int layers = 1;
        private long seed;
        private RoutingConfig routing;
        private boolean identityRouter;
        private ExpertModel experts;
        private final Map<Integer, ExpertModel> expertsByNumber = new HashMap<>();
        private byte[] encoder;

        private int inputSize;
        private int hiddenSize;
        private int outputSize;

        private Builder() {}

        /** Sets N, the number of experts of each layer. The default is 4. Replaces a routing. */
        public Builder numExperts(int n) {
            this.numExperts = positive("numExperts", n);
            this.routing = null;
            return this;
        }

        /** Sets k, the number of experts per token. The default is 2. Replaces a routing. */
        public Builder topK(int k) {
            this.topK = positive("topK", k);
            this.routing = null;
            return this;
        }

        /** Sets the number of MoE layers. The default is 1. */
        public Builder layers(int count) {
            this.layers = positive("layers", count);
            return this;
        }

        /**
         * Sets the width of a token's values. The default is the hidden size. If the two differ,
         * the bundle has a linear encoder.
         */
        public Builder inputSize(int width) {
            this.inputSize = positive("inputSize", width);
            return this;
        }

        /** Sets the width inside the layers. The default is the input size, or 4. */
        public Builder hiddenSize(int width) {
            this.hiddenSize = positive("hiddenSize", width);
            return this;
        }

        /**
         * Sets the width of a result. The default is the hidden size. If the two differ, the bundle
         * has a linear head.
         */
        public Builder outputSize(int width) {
            this.outputSize = positive("outputSize", width);
            return this;
        }

        /** Sets the seed of all random weights. The default is 0. */
        public Builder seed(long value) {
            this.seed = value;
            return this;
        }

        /**
         * Sets how experts and weights are computed from logits; this includes N and k. The default
         * is {@link RoutingConfig#mixtral}: the top k logits, then softmax.
         */
        public Builder routing(RoutingConfig config) {
            this.routing = config;
            this.numExperts = config.numExperts();
            this.topK = config.numExpertsPerTok();
            return this;
        }

        /**
         * Uses the hidden vector as router logits, so the values of a token determine its experts.
         * The hidden size is then N.
         */
        public Builder identityRouter() {
            this.identityRouter = true;
            return this;
        }

        /** Replaces the random experts, in all layers. */
        public Builder experts(ExpertModel model) {
            this.experts = model;
            return this;
        }

        /** Replaces one expert, in all layers. */
        public Builder expert(int expert, ExpertModel model) {
            this.expertsByNumber.put(expert, model);
            return this;
        }

        /**
         * Replaces the encoder. Its ONNX model maps [batch, input size] to [batch, hidden size].
         */
        public Builder encoder(byte[] onnx) {
            this.encoder = onnx;
            return this;
        }

        /**
         * Writes the bundle.
         *
         * @param folder an empty folder, or one that does not exist
         * @throws IllegalStateException if {@code ORT_DISABLE_TELEMETRY} is not set
         */
        public TinyBundle writeTo(Path folder) {
            requireTelemetryToBeDecided();
            Preconditions.checkArgument(
                    topK <= numExperts, "topK is %s; allowed: 1 to %s (N)", topK, numExperts);
            Preconditions.checkArgument(
                    !identityRouter || hidden() == numExperts,
                    "hiddenSize is %s; with identityRouter it must be numExperts, %s",
                    hidden(),
                    numExperts);
            for (int expert : expertsByNumber.keySet()) {
                Preconditions.checkArgument(
                        expert >= 0 && expert < numExperts,
                        "expert is %s; allowed: 0 to %s",
                        expert,
                        numExperts - 1);
            }
            return new TinyBundle(new TinyBundleWriter(model()).write(folder));
        }

        private TinyModel model() {
            return new TinyModel(
                    routing != null ? routing : RoutingConfig.mixtral(numExperts, topK),
                    layers,
                    inputSize > 0 ? inputSize : hidden(),
                    hidden(),
                    outputSize > 0 ? outputSize : hidden(),
                    identityRouter,
                    experts,
                    Map.copyOf(expertsByNumber),
                    encoder,
                    seed);
        }

        private int hidden() {
            if (hiddenSize > 0) {
                return hiddenSize;
            }
            if (identityRouter) {
                return numExperts;
            }
            return inputSize > 0 ? inputSize : 4;
        }

        private static int positive(String name, int value) {
            Preconditions.checkArgument(value > 0, "%s is %s; allowed: 1 or more", name, value);
            return value;
        }

        /** Fails early. The job would fail too, but later and deep in a stack trace. */
        private static void requireTelemetryToBeDecided() {
            Preconditions.checkState(
                    System.getenv("ORT_DISABLE_TELEMETRY") != null,
                    "ORT_DISABLE_TELEMETRY is not set. Set it to 1 in the environment of the tests:"
                            + " in <environmentVariables> of Maven Surefire, with 'environment' of"
                            + " Gradle's test task, or in the run configuration of the IDE. ONNX"
                            + " Runtime reports its usage to its maker otherwise; 0 lets it report.");
        }
    }
}
