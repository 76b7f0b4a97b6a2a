// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.gates;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.MoeLayers;
import io.flinkmoe.MoeResult;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.capacity.WeightRule;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.GatedTokens;
import io.flinkmoe.testing.StateSink;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ExternalizedCheckpointRetention;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Jobs of general models with several gates, and what they answer. */
final class GatesJob {

    static final int TOKENS = 200;
    static final Duration WINDOW = Duration.ofMillis(40);

    private GatesJob() {}

    /** {@code -Dgates.seeds=FROM,TO} draws others. */
    static List<Long> seeds() {
        String[] range = System.getProperty("gates.seeds", "0,6").split(",");
        List<Long> seeds = new ArrayList<>();
        for (long seed = Long.parseLong(range[0]); seed < Long.parseLong(range[1]); seed++) {
            if (new GeneralModel(seed).layers.stream().anyMatch(l -> l.gates().size() > 1)) {
                seeds.add(seed);
            }
        }
        return seeds;
    }

    static Configuration options(long seed, Path directory) throws Exception {
        Bundle bundle = new GeneralModel(seed).write(directory.resolve("bundle"));
        Random random = new Random(seed);
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, bundle.directory().toString());
        options.set(MoeOptions.LANES, 4);
        options.set(MoeOptions.BATCH_SIZE, 1 + random.nextInt(12));
        options.set(MoeOptions.EXPERT_BATCH_SIZE, 1 + random.nextInt(12));
        options.set(PipelineOptions.GENERIC_TYPES, false);
        options.set(PipelineOptions.AUTO_GENERATE_UIDS, false);
        (random.nextBoolean() ? Backend.HEAP : Backend.ROCKSDB).chooseIn(options);
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofHours(1));
        options.set(CheckpointingOptions.ENABLE_CHECKPOINTS_AFTER_TASKS_FINISH, false);
        options.set(CheckpointingOptions.ENABLE_UNALIGNED, true);
        options.set(
                CheckpointingOptions.CHECKPOINTS_DIRECTORY,
                directory.resolve("checkpoints").toUri().toString());
        options.set(
                CheckpointingOptions.EXTERNALIZED_CHECKPOINT_RETENTION,
                ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION);
        return options;
    }

    static void capacity(Configuration options, long seed) {
        AdmissionOrder[] orders = {
            AdmissionOrder.POSITION,
            AdmissionOrder.TOKEN_PRIORITY,
            AdmissionOrder.GATE_SCORE,
            AdmissionOrder.RANDOM
        };
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FACTOR);
        options.set(MoeOptions.CAPACITY_FACTOR, 0.5);
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        options.set(MoeOptions.CAPACITY_ORDER, orders[(int) (seed % orders.length)]);
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, WINDOW);
        options.set(
                MoeOptions.CAPACITY_WEIGHTS,
                seed % 3 == 0 ? WeightRule.ROUTER : WeightRule.SURVIVORS);
    }

    static void prepare(long seed) {
        StateSink.clear();
        GatedTokens.use(tokens(seed), TOKENS / 2);
    }

    static List<Token> tokens(long seed) {
        Random random = new Random(seed);
        int width = new GeneralModel(seed).inputSize();
        List<Token> tokens = new ArrayList<>();
        for (int i = 0; i < TOKENS; i++) {
            tokens.add(GeneralTokens.draw(i, width, random));
        }
        return tokens;
    }

    static JobClient start(Configuration options, int parallelism) throws Exception {
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(options);
        env.setParallelism(parallelism);
        MoeResult result =
                MoeLayers.builder(options).decisionLog().build().score(GatedTokens.of(env, WINDOW));
        StateSink.add(result.scored(), "scored");
        StateSink.add(result.decisions(), "decisions");
        StateSink.add(result.windowSummaries(), "summaries");
        return env.executeAsync();
    }

    static void finish(JobClient job) throws Exception {
        job.getJobExecutionResult().get(1, TimeUnit.MINUTES);
    }

    static Map<Long, ScoredToken> scored() {
        Map<Long, ScoredToken> scored = new HashMap<>();
        for (ScoredToken token : StateSink.ended("scored", ScoredToken.class)) {
            assertThat(scored.put(token.position(), token)).isNull();
        }
        return scored;
    }

    static Map<Long, DecisionRecord> decisions() {
        Map<Long, DecisionRecord> decisions = new HashMap<>();
        for (DecisionRecord entry : StateSink.ended("decisions", DecisionRecord.class)) {
            assertThat(decisions.put(entry.position(), entry)).isNull();
        }
        return decisions;
    }

    /** The decision log and the scored tokens say the same. */
    static void checkThatDecisionsAreThoseOfTheTokens() {
        Map<Long, DecisionRecord> decisions = decisions();
        scored().forEach(
                        (position, token) -> {
                            DecisionRecord entry = decisions.get(position);
                            for (int i = 0; i < token.layers().length; i++) {
                                Decision decision = token.layers()[i];
                                DecisionRecord.Layer layer = entry.layers()[i];
                                assertThat(layer.experts()).isEqualTo(decision.experts());
                                assertThat(layer.outcomes()).isEqualTo(decision.outcomes());
                                checkWeights(decision, layer);
                            }
                        });
    }

    private static void checkWeights(Decision decision, DecisionRecord.Layer layer) {
        int k = decision.experts().length;
        float[] weights = new float[decision.weights().length];
        for (int gate = 0; gate < layer.gates().length; gate++) {
            int[] experts = layer.gates()[gate].experts();
            for (int rank = 0; rank < experts.length; rank++) {
                for (int choice = 0; choice < k && experts[rank] >= 0; choice++) {
                    if (decision.experts()[choice] == experts[rank]) {
                        weights[gate * k + choice] = layer.gates()[gate].weights()[rank];
                    }
                }
            }
        }
        assertThat(weights).isEqualTo(decision.weights());
    }
}
