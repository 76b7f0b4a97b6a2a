// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.testing.FixedExperts;
import io.flinkmoe.testing.TinyBundle;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Program;
import io.flinkmoe.tools.kafka.KafkaBroker;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DryRunIT {

    @TempDir private static Path dir;

    private static KafkaBroker broker;
    private static Path bundle;
    private static Path config;

    @BeforeAll
    static void start() throws Exception {
        broker = KafkaBroker.start(dir.resolve("kafka"));
        for (String topic : List.of("tokens", "scored", "rejected")) {
            broker.createTopic(topic, 2, Map.of());
        }
        bundle = dir.resolve("bundle");
        CheckpointImporter.importBundle(
                Home.FLIGHTS.resolve("checkpoint"),
                Home.FLIGHTS.resolve("encoder.onnx"),
                Home.FLIGHTS.resolve("head.onnx"),
                bundle);
        config =
                Files.writeString(
                        dir.resolve("score.yaml"),
                        """
                        moe:
                          bundle: %s
                          kafka:
                            brokers: %s
                            properties: "client.id:opensesame"
                          source.topic: tokens
                          sink.topic: scored
                          dead-letter.topic: rejected
                          expert.parallelism: 3
                        parallelism.default: 4
                        s3.secret-key: opensesame
                        """
                                .formatted(bundle, broker.bootstrapServers()));
    }

    @AfterAll
    static void stop() {
        if (broker != null) {
            broker.close();
        }
    }

    private static Program dryRun(String... arguments) {
        List<Object> all = new ArrayList<>(List.of("score", "--dry-run", "--config", config));
        all.addAll(List.of(arguments));
        return Program.run(all.toArray());
    }

    @Test
    void showsTheGraphThePlacementTheOptionsAndTheEstimates() {
        Program program = dryRun("--capacity.policy=fixed", "--capacity.size=10");

        assertThat(program.err()).isEmpty();
        assertThat(program.exitCode()).isZero();
        assertThat(program.out())
                .containsPattern("1 +Source: token-source +token-source +2 +32768")
                .containsPattern("2 +moe-router-0 +moe-router-0 +4 +128 +1 \\(hash\\)")
                .containsPattern("3 +moe-admission-0 +moe-admission-0 +3 +128 +2 \\(hash\\)")
                .containsPattern(
                        "4 +moe-dispatch-0 +moe-dispatch-0 +4 +128 +2 \\(hash\\), 3 \\(hash")
                .containsPattern("5 +moe-expert-0 +moe-expert-0 +3 +128 +4 \\(hash\\)")
                .containsPattern("6 +moe-combine-0 +moe-combine-0 +4 +128 +4 \\(hash\\), 5 \\(hash")
                .containsPattern("scored-token-sink: Committer +Sink Committer: scored")
                .containsPattern("0 +1 +0-2\n +0 +2 +3-5\n +0 +3 +6 7\n")
                .containsPattern("moe.capacity.size +10\n")
                .containsPattern("moe.lanes +16 +\\(default\\)")
                .containsPattern("moe.kafka.properties +client.id:\\*\\*\\*\n")
                .containsPattern("s3.secret-key +\\*{6}\n")
                .containsPattern("execution.checkpointing.interval +10 s")
                .containsPattern("models +[0-9.]+ MB  in a process that opens all 11")
                .containsPattern("off-heap memory +[0-9]+mb  minimum of [a-z.-]+ for 4 slots")
                .containsPattern(
                        "network memory +[0-9]+mb  minimum of [a-z.]+ for 4 slots, with segments of"
                                + " 256 kb; [0-9]+mb at full speed")
                .doesNotContain("tokens of each open window")
                .doesNotContain("opensesame")
                .endsWith("All checks passed. Nothing was started.\n");
    }

    /** The file sets the parallelism of the experts. */
    @Test
    void saysWhyExpertsCannotBeReplicated() {
        Program program = dryRun("--expert.placement=replicated");

        assertThat(program.exitCode()).isEqualTo(2);
        assertThat(program.err())
                .contains("moe.expert.placement is replicated, but moe.expert.parallelism is 3");
    }

    @Test
    void estimatesTheStateOfPrioritizedAdmission() {
        Program program =
                dryRun(
                        "--capacity.policy=fixed",
                        "--capacity.size=10",
                        "--capacity.admission=prioritized",
                        "-Dexecution.checkpointing.dir=" + dir.resolve("checkpoints").toUri());

        // T * (d * 4 + k * 100)
        assertThat(program.out()).containsPattern("state +0.5 MB  per 1,000 tokens");
    }

    @Test
    void checksAllThatAStartWould() {
        assertThat(dryRun("--sink.topic=nowhere").err())
                .contains("nowhere")
                .doesNotContain("passed");
        assertThat(dryRun("--bundle=" + dir).err()).contains("model.json");
        assertThat(dryRun("-D", "execution.runtime-mode=BATCH").err()).contains("BATCH");
    }

    @Test
    void refusesTooLittleNetworkMemoryAndSaysWhatToSet() {
        Program program = dryRun("-Dtaskmanager.memory.network.max=4mb");

        assertThat(program.exitCode()).isNotZero();
        assertThat(program.err())
                .contains("is 4mb, which is 16 buffers of 256 kb")
                .containsPattern("set taskmanager.memory.network.min and [a-z.]+ to [0-9]+mb");
        assertThat(program.out()).doesNotContain("passed");
    }

    @Test
    void refusesAModelThatOnnxRuntimeCannotOpen() {
        Path unopenable = dir.resolve("unopenable");
        TinyBundle.builder()
                .inputSize(10)
                .outputSize(1)
                .expert(
                        1,
                        (expert, width) -> {
                            byte[] onnx = FixedExperts.numbered().onnx(1, width);
                            onnx[1] = 99; // The version of the format.
                            return onnx;
                        })
                .writeTo(unopenable);

        Program program = dryRun("--bundle=" + unopenable);

        assertThat(program.exitCode()).isEqualTo(1);
        assertThat(program.err()).contains("Unsupported model IR version: 99");
        assertThat(program.out()).doesNotContain("passed");
    }
}
