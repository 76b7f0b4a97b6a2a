// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Token;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.testing.NumberedBundle;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.common.typeutils.base.IntSerializer;
import org.apache.flink.configuration.CheckpointingOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.runtime.OperatorIDPair;
import org.apache.flink.runtime.jobgraph.JobVertex;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.graph.StreamGraph;
import org.apache.flink.streaming.api.graph.StreamNode;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The job that is built, without running it. */
class MoeLayersTopologyTest {

    private static final int N = 5;
    @TempDir private Path directory;
    private final Configuration options = new Configuration();

    @BeforeEach
    void writeBundle() {
        NumberedBundle.write(directory.resolve("bundle"), N, 2, 2);
        options.set(MoeOptions.BUNDLE, directory.resolve("bundle").toString());
        options.set(PipelineOptions.GENERIC_TYPES, false);
        options.set(PipelineOptions.AUTO_GENERATE_UIDS, false);
    }

    @Test
    void givesEveryOperatorAUidAndAMaxParallelismOfItsOwn() throws Exception {
        StreamExecutionEnvironment env = env(8);
        env.setMaxParallelism(777);
        StreamGraph graph = graph(env);

        assertThat(uids(graph))
                .containsExactlyInAnyOrder(
                        "in",
                        "moe-check",
                        "moe-ingest",
                        "moe-router-0",
                        "moe-expert-0",
                        "moe-combine-0",
                        "moe-router-1",
                        "moe-expert-1",
                        "moe-combine-1",
                        "moe-head",
                        "out");
        for (int layer = 0; layer < 2; layer++) {
            checkSpread(graph, "moe-router-" + layer, 8, 128);
            checkSpread(graph, "moe-expert-" + layer, N, 130);
            checkSpread(graph, "moe-combine-" + layer, 8, 128);
        }
        checkSpread(graph, "moe-check", 1, 1 << 15);
        checkSpread(graph, "moe-ingest", 1, 1 << 15);
        checkSpread(graph, "moe-head", 8, 128);
        assertThat(graph.getJobGraph().getNumberOfVertices())
                .as("tasks, after ingest and head are chained")
                .isLessThanOrEqualTo(9);
    }

    @Test
    void givesOnlyTheExpertsASlotSharingGroup() throws Exception {
        options.setString("moe.expert.slot-sharing-group", "experts");
        options.setString("moe.expert.slot.cpu-cores", "2");
        options.setString("moe.expert.slot.heap", "64 mb");
        StreamExecutionEnvironment env = env(2);
        StreamGraph graph = graph(env);
        for (StreamNode node : graph.getStreamNodes()) {
            boolean expert = node.getOperatorName().startsWith("moe-expert");
            assertThat(node.getSlotSharingGroup())
                    .as(node.getOperatorName())
                    .isEqualTo(expert ? "experts" : "default");
        }
        assertThat(graph.getSlotSharingGroupResource("experts"))
                .hasValueSatisfying(
                        slot ->
                                assertThat(slot.getCpuCores().getValue())
                                        .isEqualByComparingTo("2"));
    }

    @Test
    void capsParallelismAtTheNumberOfLanesAndOfExperts() throws Exception {
        options.set(MoeOptions.LANES, 3);
        options.set(MoeOptions.EXPERT_PARALLELISM, 2);
        StreamExecutionEnvironment env = env(4);
        StreamGraph graph = graph(env);

        checkSpread(graph, "moe-router-0", 3, 129);
        checkSpread(graph, "moe-expert-0", 2, 130);
        checkSpread(graph, "moe-combine-0", 3, 129);
    }

    @Test
    void chainsReplicatedLayersToSourceAndSink() throws Exception {
        options.set(PlacementOptions.PLACEMENT, PlacementOptions.Placement.REPLICATED);
        StreamExecutionEnvironment env = env(1);
        StreamGraph graph = graph(env);

        assertThat(uids(graph))
                .containsExactlyInAnyOrder(
                        "in", "moe-check", "moe-ingest", "moe-layers", "moe-head", "out");
        assertThat(graph.getJobGraph().getNumberOfVertices()).as("tasks").isEqualTo(1);
    }

    @Test
    void spreadsReplicatedLayersByLaneIfTheSourceHasFewerSubtasks() throws Exception {
        options.set(PlacementOptions.PLACEMENT, PlacementOptions.Placement.REPLICATED);
        StreamExecutionEnvironment env = env(8);
        StreamGraph graph = graph(env);

        checkSpread(graph, "moe-ingest", 1, 1 << 15);
        checkSpread(graph, "moe-layers", 8, 1 << 15);
        checkSpread(graph, "moe-head", 8, 1 << 15);
        assertThat(graph.getJobGraph().getNumberOfVertices()).as("tasks").isEqualTo(2);
    }

    /** Flink compares the maximum parallelism of the tasks that the state belongs to. */
    @Test
    void aSavepointOfReplicatedLayersFitsAtAnyParallelism() throws Exception {
        options.set(PlacementOptions.PLACEMENT, PlacementOptions.Placement.REPLICATED);
        options.set(CheckpointingOptions.ENABLE_UNALIGNED, true);
        options.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofSeconds(1));
        assertThat(maxParallelismByOperator(env(1)))
                .containsEntry("moe-head", 1 << 15)
                .isEqualTo(maxParallelismByOperator(env(8)));
    }

    private Map<String, Integer> maxParallelismByOperator(StreamExecutionEnvironment env)
            throws Exception {
        env.setMaxParallelism(1 << 15); // Of the source.
        Map<String, Integer> all = new TreeMap<>();
        StreamGraph graph = graph(env);
        for (JobVertex task : graph.getJobGraph().getVertices()) {
            for (OperatorIDPair operator : task.getOperatorIDs()) {
                String name = operator.getUserDefinedOperatorUid();
                all.put(name, task.getMaxParallelism());
            }
        }
        return all;
    }

    @Test
    void addsAdmissionAndDispatchWithACapacity() throws Exception {
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, 1);
        options.set(MoeOptions.OVERFLOW, MoeOptions.OverflowPolicy.NEXT_EXPERT);
        options.set(MoeOptions.OVERFLOW_ROUNDS, 2);
        options.setString("moe.expert.slot-sharing-group", "experts");
        StreamExecutionEnvironment env = env(2);
        StreamGraph graph = graph(env);

        assertThat(uids(graph))
                .contains(
                        "moe-router-1",
                        "moe-admission-1",
                        "moe-admission-1-round-1",
                        "moe-admission-1-round-2",
                        "moe-dispatch-1",
                        "moe-expert-1",
                        "moe-combine-1");
        for (StreamNode node : graph.getStreamNodes()) {
            String name = node.getOperatorName();
            boolean ofExperts = name.startsWith("moe-expert") || name.startsWith("moe-admission");
            assertThat(node.getSlotSharingGroup())
                    .as(name)
                    .isEqualTo(ofExperts ? "experts" : "default");
            assertThat(node.getCoLocationGroup()).as(name).isNull();
        }
        checkSpread(graph, "moe-admission-1-round-2", 2, 130);
        checkSpread(graph, "moe-dispatch-1", 2, 128);
    }

    /** If a barrier overtook records on any of them, tasks could wait for each other in a cycle. */
    @ParameterizedTest
    @EnumSource(
            value = MoeOptions.CapacityPolicy.class,
            names = {"NONE", "FIXED"})
    void letsNoBarrierOvertakeRecordsWithinALayer(MoeOptions.CapacityPolicy capacity)
            throws Exception {
        options.set(MoeOptions.CAPACITY, capacity);
        if (capacity == MoeOptions.CapacityPolicy.FIXED) {
            options.set(MoeOptions.CAPACITY_SIZE, 1);
        }
        StreamExecutionEnvironment env = env(2);
        StreamGraph graph = graph(env);
        for (StreamNode node : graph.getStreamNodes()) {
            if (node.getOperatorName().matches("moe-.*-[01]")) {
                assertThat(node.getInEdges())
                        .as(node.getOperatorName())
                        .isNotEmpty()
                        .extracting(edge -> edge.getPartitioner().isSupportsUnalignedCheckpoint())
                        .containsOnly(false);
            }
        }
    }

    @Test
    void usesItsOwnSerializersEverywhere() throws Exception {
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, 1);
        StreamExecutionEnvironment env = env(1);
        MoeResult result = MoeLayers.builder(options).routerLogits().build().score(tokens(env));
        result.scored().sinkTo(new DiscardingSink<>()).uid("scored");
        result.deadLetters().sinkTo(new DiscardingSink<>()).uid("dead");
        result.windowSummaries().sinkTo(new DiscardingSink<>()).uid("summaries");
        result.routerLogits().sinkTo(new DiscardingSink<>()).uid("logits");

        int checked = 0;
        for (StreamNode node : env.getStreamGraph().getStreamNodes()) {
            List<TypeSerializer<?>> serializers =
                    new ArrayList<>(Arrays.asList(node.getTypeSerializersIn()));
            if (node.getTransformationUID().startsWith("moe-")) {
                serializers.add(node.getTypeSerializerOut());
            }
            for (TypeSerializer<?> serializer : serializers) {
                checked++;
                assertThat(serializer.getClass().getName())
                        .as("serializer of %s", node.getOperatorName())
                        .startsWith("io.flinkmoe.");
            }
            if (node.getStateKeySerializer() != null) {
                assertThat(node.getStateKeySerializer()).isEqualTo(IntSerializer.INSTANCE);
            }
        }
        assertThat(checked).as("inputs and outputs").isGreaterThan(20);
    }

    @Test
    void letsTwoOfThemShareAJobUnderNamesOfTheirOwn() throws Exception {
        StreamExecutionEnvironment env = env(1);
        DataStream<Token> tokens = tokens(env);
        MoeLayers.Builder builder = MoeLayers.builder(options);
        builder.name("a")
                .build()
                .score(tokens)
                .scored()
                .sinkTo(new DiscardingSink<>())
                .uid("out-a");
        builder.name("b")
                .build()
                .score(tokens)
                .scored()
                .sinkTo(new DiscardingSink<>())
                .uid("out-b");
        StreamGraph graph = env.getStreamGraph();

        assertThat(uids(graph))
                .doesNotHaveDuplicates()
                .hasSize(21)
                .contains("a-check", "a-router-1", "a-head", "b-check", "b-router-1", "b-head");
        assertThat(graph.getJobGraph().getVerticesAsArray()).isNotEmpty();
    }

    private StreamExecutionEnvironment env(int parallelism) {
        return StreamExecutionEnvironment.getExecutionEnvironment(options)
                .setParallelism(parallelism);
    }

    private static DataStream<Token> tokens(StreamExecutionEnvironment env) {
        List<Token> one = List.of(new Token("a", 0, 0, new float[N]));
        return env.fromData(one, Token.TYPE).uid("in");
    }

    private static List<String> uids(StreamGraph graph) {
        return graph.getStreamNodes().stream().map(StreamNode::getTransformationUID).toList();
    }

    private static void checkSpread(
            StreamGraph graph, String uid, int parallelism, int maxParallelism) {
        StreamNode node = node(graph, uid);
        assertThat(node.getParallelism()).as("parallelism of %s", uid).isEqualTo(parallelism);
        assertThat(node.getMaxParallelism()).as("max of %s", uid).isEqualTo(maxParallelism);
    }

    private static StreamNode node(StreamGraph graph, String uid) {
        Map<String, StreamNode> nodes = new TreeMap<>();
        graph.getStreamNodes().forEach(node -> nodes.put(node.getTransformationUID(), node));
        assertThat(nodes).containsKey(uid);
        return nodes.get(uid);
    }

    /** The graph of a job that scores tokens and discards the answers. */
    private StreamGraph graph(StreamExecutionEnvironment env) throws Exception {
        MoeLayers.builder(options)
                .build()
                .score(tokens(env))
                .scored()
                .sinkTo(new DiscardingSink<>())
                .uid("out");
        return env.getStreamGraph();
    }
}
