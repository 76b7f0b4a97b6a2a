// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.columns;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.flinkmoe.MoeLayers;
import io.flinkmoe.MoeResult;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputRows;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.column.TypedValuesBuilder;
import io.flinkmoe.config.Draws;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeSettings;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.config.PlacementOptions.Placement;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.MlpGraph;
import io.flinkmoe.model.parts.Manifest;
import io.flinkmoe.model.parts.PartsImporter;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.testing.Backend;
import io.flinkmoe.testing.GatedTokens;
import io.flinkmoe.testing.StateSink;
import java.io.IOException;
import java.nio.file.Files;
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
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.testutils.CommonTestUtils;
import org.apache.flink.runtime.testutils.MiniClusterResourceConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * A model with typed columns gives the same answers as a stream and in the reference: an encoder of
 * scikit-learn reads strings, floats and an integer; rules of the second layer read columns again;
 * and the sums of its gates are outputs of their own.
 */
class TypedColumnsIT {

    private static final int TOKENS = 300;
    private static final int WIDTH = 12;
    private static final Duration WINDOW = Duration.ofMillis(30);
    private static final Path ENCODER =
            Path.of("../core/src/test/resources/exports/sklearn_pipeline/encoder.onnx");
    private static final String[] CARRIERS = {"AA", "DL", "WN", "unknown", null};

    @RegisterExtension
    private static final MiniClusterExtension CLUSTER =
            new MiniClusterExtension(
                    new MiniClusterResourceConfiguration.Builder()
                            .setNumberTaskManagers(1)
                            .setNumberSlotsPerTaskManager(4)
                            .build());

    private static final String MANIFEST =
            """
            {'inputs': {'carrier': {'missing': '??'}, 'origin': {}, 'distance': {},
                        'delay': {'missing': 0}, 'seats': {}},
             'encoder': 'encoder.onnx',
             'layers': [
               {'residual': 'input', 'experts': 'first/*.onnx',
                'gates': [{'router': 'router.onnx', 'scoring_func': 'softmax',
                           'num_experts_per_tok': 2, 'norm_topk_prob': true}]},
               {'residual': 'none',
                'experts': [{'name': 'a', 'file': 'a.onnx'}, {'name': 'b', 'file': 'b.onnx'},
                            {'name': 'c', 'file': 'c.onnx'}, {'name': 'd', 'file': 'd.onnx'}],
                'gates': [
                  {'name': 'by_carrier',
                   'rule': {'column': 'carrier', 'table': {'AA': 'a', '??': 'b'}, 'fallback': 'a'}},
                  {'name': 'by_seats',
                   'rule': {'column': 'seats', 'table': {'100': 'c'}, 'fallback': 'd'}}]}]}
            """;

    @TempDir private Path directory;

    private final Random random = new Random(7);
    private Bundle bundle;
    private List<Token> tokens;

    @BeforeEach
    void importTheModel() throws Exception {
        Path parts = Files.createDirectories(directory.resolve("parts"));
        Files.createDirectories(parts.resolve("first"));
        Files.copy(ENCODER, parts.resolve("encoder.onnx"));
        linear(parts.resolve("router.onnx"), 3);
        for (int expert = 0; expert < 3; expert++) {
            linear(parts.resolve("first/%d.onnx".formatted(expert)), WIDTH);
        }
        linear(parts.resolve("a.onnx"), 4);
        linear(parts.resolve("b.onnx"), 4);
        linear(parts.resolve("c.onnx"), 2);
        linear(parts.resolve("d.onnx"), 2);
        JsonMapper json = JsonMapper.builder().enable(JsonReadFeature.ALLOW_SINGLE_QUOTES).build();
        Manifest manifest =
                new Manifest(json.readTree(MANIFEST), parts.resolve("manifest.yaml"), parts);
        bundle =
                PartsImporter.importBundle(manifest, directory.resolve("bundle"), made -> {})
                        .bundle();
        tokens = tokens(bundle.spec().inputLayout());
    }

    private void linear(Path file, int out) throws IOException {
        float[] weight = new float[out * WIDTH];
        for (int i = 0; i < weight.length; i++) {
            weight[i] = (float) random.nextGaussian() / 4;
        }
        MlpGraph.of("linear", List.of(MlpGraph.Layer.of(weight, null, Activation.NONE, WIDTH, out)))
                .writeTo(file);
    }

    /** Every 50th token has a text for its number of seats. */
    private List<Token> tokens(InputLayout inputs) {
        TypedValuesBuilder builder = new TypedValuesBuilder(inputs);
        List<Token> all = new ArrayList<>();
        for (int i = 0; i < TOKENS; i++) {
            TypedValues values =
                    builder.set("carrier", CARRIERS[random.nextInt(CARRIERS.length)])
                            .set("origin", random.nextBoolean() ? "JFK" : "ATL")
                            .set("distance", 100 + random.nextInt(900))
                            .set("delay", random.nextInt(4) == 0 ? null : random.nextGaussian())
                            .set("seats", isBad(i) ? "many" : 90 + random.nextInt(3) * 10)
                            .build();
            all.add(Token.of("s" + random.nextInt(5), i, i, values));
        }
        return all;
    }

    private static boolean isBad(long position) {
        return position % 50 == 49;
    }

    /** The outputs of the tokens that are not bad, by position. */
    private Map<Long, TypedValues> reference(Configuration options) throws Exception {
        List<Token> good = tokens.stream().filter(t -> !isBad(t.position())).toList();
        TokenMetadata metadata =
                new TokenMetadata(
                        good.stream().mapToLong(Token::timestamp).toArray(),
                        good.stream().map(Token::stream).toArray(String[]::new),
                        good.stream().mapToLong(Token::position).toArray());
        InputRows x =
                InputRows.of(
                        bundle.spec().inputLayout(), good.stream().map(Token::inputs).toList());
        Map<Long, TypedValues> outputs = new HashMap<>();
        try (ReferenceModel reference =
                ReferenceModel.open(bundle, MoeSettings.of(options).capacity())) {
            ReferenceModel.Result result = reference.forward(x, metadata, Draws.SEEDED);
            for (int row = 0; row < good.size(); row++) {
                outputs.put(
                        good.get(row).position(),
                        result.absent()[row] ? null : result.outputs().row(row));
            }
        }
        return outputs;
    }

    private Configuration options() {
        Configuration options = new Configuration();
        options.set(MoeOptions.BUNDLE, bundle.directory().toString());
        options.set(MoeOptions.LANES, 4);
        options.set(MoeOptions.BATCH_SIZE, 1 + random.nextInt(12));
        options.set(PipelineOptions.GENERIC_TYPES, false);
        options.set(PipelineOptions.AUTO_GENERATE_UIDS, false);
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofHours(1));
        options.set(CheckpointingOptions.ENABLE_CHECKPOINTS_AFTER_TASKS_FINISH, false);
        return options;
    }

    private JobClient start(Configuration options, int parallelism) throws Exception {
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.getExecutionEnvironment(options);
        env.setParallelism(parallelism);
        MoeResult result = MoeLayers.builder(options).build().score(GatedTokens.of(env, WINDOW));
        StateSink.add(result.scored(), "scored");
        StateSink.add(result.deadLetters(), "letters");
        return env.executeAsync();
    }

    private void assertAnswers(Configuration options) throws Exception {
        Map<Long, TypedValues> found = new HashMap<>();
        for (ScoredToken token : StateSink.ended("scored", ScoredToken.class)) {
            assertThat(found).doesNotContainKey(token.position());
            found.put(token.position(), token.outputs());
        }
        assertThat(found).isEqualTo(reference(options));
        List<DeadLetter> letters = StateSink.ended("letters", DeadLetter.class);
        assertThat(letters).hasSize(TOKENS / 50);
        for (DeadLetter letter : letters) {
            assertThat(letter.rejection().kind()).isEqualTo(Rejection.Kind.INPUT);
            assertThat(letter.reason())
                    .isEqualTo("seats is many, a text; the model takes the type int64");
            assertThat(letter.token()).isEqualTo(tokens.get((int) letter.token().position()));
        }
    }

    @Test
    void everyPlacementAnswersAsTheReference() throws Exception {
        for (Placement placement : List.of(Placement.PARTITIONED, Placement.REPLICATED)) {
            Configuration options = options();
            options.set(PlacementOptions.PLACEMENT, placement);
            StateSink.clear();
            GatedTokens.use(tokens, TOKENS);
            GatedTokens.open();
            start(options, 1 + random.nextInt(4)).getJobExecutionResult().get(1, TimeUnit.MINUTES);
            assertAnswers(options);
        }
    }

    /** Windows hold the strings of their tokens, because the second layer reads them. */
    @Test
    void aSavepointKeepsTheColumnsOfWaitingTokens(@InjectMiniCluster MiniCluster cluster)
            throws Exception {
        Configuration options = options();
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FACTOR);
        options.set(MoeOptions.CAPACITY_FACTOR, 0.8);
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        options.set(MoeOptions.CAPACITY_WINDOW_SIZE, WINDOW);
        Backend.ROCKSDB.chooseIn(options);
        StateSink.clear();
        GatedTokens.use(tokens, TOKENS / 2 + 5);
        JobClient job = start(options, 2);
        CommonTestUtils.waitForAllTaskRunning(cluster, job.getJobID(), false);
        GatedTokens.awaitFirstPart();
        String savepoint =
                job.stopWithSavepoint(
                                false,
                                directory.resolve("savepoints").toString(),
                                SavepointFormatType.CANONICAL)
                        .get();
        GatedTokens.open();
        options.set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint);
        start(options, 3).getJobExecutionResult().get(1, TimeUnit.MINUTES);
        assertAnswers(options);
    }
}
