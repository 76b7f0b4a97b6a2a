// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.model.BundleSpec;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.schemas.ChoiceOutcome;
import io.flinkmoe.schemas.GateRanking;
import io.flinkmoe.schemas.LayerRanking;
import io.flinkmoe.schemas.RankedExpert;
import io.flinkmoe.schemas.ScoredTokenEncoder;
import io.flinkmoe.schemas.SettledChoice;
import io.flinkmoe.schemas.TokenDecision;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.Test;

/** What the largest messages of layers with several gates need, against what they have. */
class MessageSizeTest {

    private static final int WIDTH = 4;
    private static final int EXPERTS = 1000;
    private static final int GATES = 5;
    private static final int OVERHEAD = 16 << 10;

    @Test
    void weightsOfSeveralGatesAreCounted() {
        int[] experts = IntStream.range(0, EXPERTS).toArray();
        byte[] message =
                ScoredTokenEncoder.singleObject()
                        .encode(
                                "s",
                                0,
                                0,
                                new float[GATES * WIDTH],
                                null,
                                "v1",
                                new int[][] {experts},
                                new float[][] {new float[GATES * EXPERTS]},
                                new int[][] {new int[EXPERTS]});

        long allowed = largest().get(KafkaOptions.SINK_TOPIC) - OVERHEAD;
        assertThat(allowed).isBetween((long) message.length, (long) (1.4 * message.length));
    }

    @Test
    void ranksOfAllGatesAreCounted() throws Exception {
        List<RankedExpert> ranks =
                IntStream.range(0, EXPERTS).mapToObj(e -> new RankedExpert(e, 1f, 1f)).toList();
        List<GateRanking> gates =
                IntStream.range(0, GATES)
                        .mapToObj(gate -> new GateRanking(name(gate), ranks))
                        .toList();
        List<SettledChoice> choices =
                IntStream.range(0, EXPERTS)
                        .mapToObj(e -> new SettledChoice(e, ChoiceOutcome.EXECUTED, 0))
                        .toList();
        TokenDecision decision =
                new TokenDecision(
                        "s",
                        0L,
                        Instant.EPOCH,
                        0L,
                        "v1",
                        List.of(new LayerRanking(gates, choices)));
        int message = TokenDecision.getEncoder().encode(decision).remaining();

        long allowed = largest().get(KafkaOptions.DECISION_LOG_TOPIC) - OVERHEAD;
        assertThat(allowed).isBetween((long) message, (long) (1.5 * message));
    }

    private static Map<?, Long> largest() {
        Configuration options = new Configuration();
        options.set(KafkaOptions.BROKERS, "broker:9092");
        options.set(KafkaOptions.DECISION_LOG_TOPIC, "decisions");
        return MessageSize.require(options, spec());
    }

    private static BundleSpec spec() {
        List<ExpertSpec> experts =
                Collections.nCopies(EXPERTS, ExpertSpec.of("expert.onnx", WIDTH));
        List<GateSpec> gates =
                IntStream.range(0, GATES)
                        .mapToObj(
                                gate ->
                                        new GateSpec(
                                                name(gate),
                                                ModelFile.of("router.onnx"),
                                                null,
                                                null,
                                                null,
                                                null,
                                                RoutingConfig.dense(EXPERTS),
                                                null))
                        .toList();
        LayerSpec layer =
                new LayerSpec(
                        WIDTH,
                        GATES * WIDTH,
                        null,
                        null,
                        ResidualKind.NONE,
                        experts,
                        List.of(),
                        gates,
                        null);
        return new BundleSpec(
                BundleSpec.FORMAT_VERSION,
                "wide",
                "v1",
                WIDTH,
                GATES * WIDTH,
                null,
                null,
                List.of(layer),
                Map.of("expert.onnx", "0".repeat(64), "router.onnx", "0".repeat(64)));
    }

    private static String name(int gate) {
        return "gate-" + gate + "-" + "n".repeat(1000);
    }
}
