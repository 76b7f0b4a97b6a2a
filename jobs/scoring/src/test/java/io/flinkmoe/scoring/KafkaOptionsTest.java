// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.kafka.source.StartPosition;
import io.flinkmoe.scoring.record.RecordOptions;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KafkaOptionsTest {

    @TempDir Path dir;

    @Test
    void readsOptionsAsTheyAreWritten() {
        Configuration options = complete();
        options.setString("moe.sink.delivery", "at-least-once");
        options.setString("moe.source.start", "latest");
        options.setString("moe.format", "token-raw");
        options.setString("moe.kafka.properties", "{client.rack: a, security.protocol: SSL}");
        options.setString("moe.schema", "[a.avsc]");

        KafkaOptionsCheck.check(options);

        assertThat(options.get(KafkaOptions.SINK_DELIVERY))
                .isEqualTo(KafkaOptions.Delivery.AT_LEAST_ONCE);
        assertThat(options.get(KafkaOptions.SOURCE_START)).isEqualTo(StartPosition.LATEST);
        assertThat(options.get(RecordOptions.FORMAT)).isEqualTo(RecordOptions.Format.TOKEN_RAW);
        assertThat(options.get(RecordOptions.SCHEMAS)).containsExactly("a.avsc");
        assertThat(KafkaOptions.clientProperties(options))
                .containsEntry("client.rack", "a")
                .containsEntry("security.protocol", "SSL")
                .containsEntry("bootstrap.servers", "broker:9092");
    }

    @Test
    void brokersNeedNotTellHowLongTransactionsMayBe() {
        for (ConfigEntry untold :
                Arrays.asList(null, new ConfigEntry("transaction.max.timeout.ms", null))) {
            assertThatCode(() -> KafkaPreflight.checkTransactionTimeout(complete(), untold))
                    .doesNotThrowAnyException();
        }
    }

    @Test
    void namesAllThatIsMissing() {
        assertThatThrownBy(() -> KafkaOptionsCheck.check(new Configuration()))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "moe.bundle is missing; moe.kafka.brokers is missing; moe.source.topic is missing;"
                                + " moe.sink.topic is missing; moe.dead-letter.topic is missing");
    }

    @Test
    void namesAllThatContradicts() {
        Configuration options = complete();
        options.set(KafkaOptions.SINK_TOPIC, "in");
        options.set(KafkaOptions.SOURCE_MAX_AHEAD, Duration.ofSeconds(-1));
        options.set(KafkaOptions.SINK_TRANSACTION_TIMEOUT, Duration.ofDays(30));
        options.set(RecordOptions.FORMAT, RecordOptions.Format.TOKEN_RAW);
        options.set(RecordOptions.SCHEMAS, List.of("a.avsc", "b.avsc"));

        assertThatThrownBy(() -> KafkaOptionsCheck.check(options))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining(
                        "moe.source.topic and moe.sink.topic must be different topics, but each is in")
                .hasMessageContaining("moe.source.max-ahead is PT-1S, but cannot be negative")
                .hasMessageContaining("moe.sink.transaction-timeout is 2592000000 ms")
                .hasMessageContaining("moe.schema has 2 files");
    }

    @Test
    void namesAnEmptyPath() {
        Configuration options = complete();
        options.setString("execution.state-recovery.path", "");

        assertThatThrownBy(() -> KafkaOptionsCheck.check(options))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "execution.state-recovery.path is empty; set a path, or leave the option"
                                + " out");
    }

    @Test
    void refusesClientPropertiesThatItsOptionsWouldOverwrite() {
        Configuration options = complete();
        options.setString(
                "moe.kafka.properties",
                "{transaction.timeout.ms: 60000, group.id: g, bootstrap.servers: 'b:1',"
                        + " auto.offset.reset: none, transactional.id: t, linger.ms: 5}");

        assertThatThrownBy(() -> KafkaOptionsCheck.check(options))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "moe.kafka.properties contains auto.offset.reset; use moe.source.start instead;"
                                + " moe.kafka.properties contains bootstrap.servers; use"
                                + " moe.kafka.brokers instead; moe.kafka.properties contains group.id;"
                                + " use moe.source.group-id instead; moe.kafka.properties contains"
                                + " transaction.timeout.ms; use moe.sink.transaction-timeout instead;"
                                + " moe.kafka.properties contains transactional.id; use"
                                + " moe.sink.transactional-id-prefix instead");
    }

    @Test
    void groupsAndTopicsThatDifferHaveTransactionalIdsThatDiffer() {
        Configuration one = complete();
        one.set(KafkaOptions.SOURCE_GROUP_ID, "gv");
        one.set(KafkaOptions.SINK_TOPIC, "v-out");
        Configuration other = complete();
        other.set(KafkaOptions.SOURCE_GROUP_ID, "gv-v");
        other.set(KafkaOptions.SINK_TOPIC, "out");

        assertThat(KafkaOutput.transactionalIdPrefix(one))
                .isEqualTo("gv/v-out")
                .isNotEqualTo(KafkaOutput.transactionalIdPrefix(other));
    }

    @Test
    void refusesATopicOfLateTokensForRecordsThatAreNone() {
        Configuration options = complete();
        options.setString("moe.format", "json");
        options.setString("moe.record.stream", "card");
        options.setString("moe.late.topic", "late");

        assertThatThrownBy(() -> KafkaOptionsCheck.check(options))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "moe.late.topic is late; allowed with moe.format: json: no value, because a"
                                + " late record is answered, with the outputs of its residual");
    }

    @Test
    void acceptsTheDefaults() {
        assertThatCode(() -> KafkaOptionsCheck.check(complete())).doesNotThrowAnyException();
    }

    @Test
    void idempotentDeliveryRefusesWhatLetsMoreThanContentsDecide() {
        Configuration options = complete();
        options.set(KafkaOptions.SINK_DELIVERY, KafkaOptions.Delivery.IDEMPOTENT);
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.setString("moe.expert.on-error", "residual");
        options.setString("moe.expert.device", "cuda");
        options.setString("moe.late.topic", "late");
        options.setString(
                "moe.kafka.properties",
                "{acks: 1, delivery.timeout.ms: 120000, max.in.flight.requests.per.connection: 6,"
                        + " retries: 2147483647, enable.idempotence: false}");

        String with = "; allowed with moe.sink.delivery: idempotent: ";
        assertThatThrownBy(() -> KafkaOptionsCheck.check(options))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        String.join(
                                "; ",
                                "moe.capacity.admission is first-come"
                                        + with
                                        + "prioritized, because the order of arrival would decide"
                                        + " answers",
                                "moe.source.idle-timeout is 1 min"
                                        + with
                                        + "0, because the time of arrival would decide which tokens"
                                        + " are late",
                                "moe.expert.on-error is residual"
                                        + with
                                        + "fail, because a call that fails only once would decide"
                                        + " answers",
                                "moe.expert.batch.padding is false"
                                        + with
                                        + "true, because on a GPU the size of a call decides the"
                                        + " bits of its rows",
                                "moe.late.topic is late"
                                        + with
                                        + "no topic, because late tokens have no key that differs"
                                        + " from token to token",
                                "moe.kafka.properties contains acks: 1"
                                        + with
                                        + "all, which is the default there",
                                "moe.kafka.properties contains delivery.timeout.ms: 120000"
                                        + with
                                        + "2147483647, which is the default there",
                                "moe.kafka.properties contains enable.idempotence: false"
                                        + with
                                        + "true, which is the default there",
                                "moe.kafka.properties contains"
                                        + " max.in.flight.requests.per.connection: 6"
                                        + with
                                        + "1 to 5, which is the default there"));
    }

    @Test
    void idempotentDeliveryRefusesAModelWhoseBitsDependOnTheCall() {
        Configuration options = complete();
        Optional<String> warning = Optional.of("a row's result depends on others for head.onnx");

        assertThatCode(() -> IdempotentRules.checkModel(options, warning))
                .doesNotThrowAnyException();
        options.setString("moe.sink.delivery", "idempotent");
        assertThatCode(() -> IdempotentRules.checkModel(options, Optional.empty()))
                .doesNotThrowAnyException();
        assertThatThrownBy(() -> IdempotentRules.checkModel(options, warning))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "moe.model.row-by-row is false; allowed with moe.sink.delivery: idempotent:"
                                + " true, because a row's result depends on others for head.onnx");
    }

    @Test
    void idempotentDeliveryTakesTheDefaultsAndPrioritizedWindows() {
        Configuration options = complete();
        options.setString("moe.sink.delivery", "idempotent");
        options.setString("moe.kafka.properties", "{acks: -1}");

        assertThatCode(() -> KafkaOptionsCheck.check(options)).doesNotThrowAnyException();
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
        options.set(KafkaOptions.SOURCE_IDLE_TIMEOUT, Duration.ZERO);
        assertThatCode(() -> KafkaOptionsCheck.check(options)).doesNotThrowAnyException();
    }

    @Test
    void asksForADirectoryOfCheckpointsWhereWindowsAreKept() {
        Configuration options = complete();
        options.set(MoeOptions.CAPACITY, MoeOptions.CapacityPolicy.FIXED);
        options.set(MoeOptions.CAPACITY_SIZE, 1);
        options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);

        assertRefused(options, "execution.checkpointing.dir is not set");
    }

    @Test
    void asksForTransactionsThatOutliveACheckpointInterval() {
        Configuration options = complete();
        options.setString("execution.checkpointing.interval", "15 min");

        assertRefused(
                options,
                "moe.sink.transaction-timeout is 15 min; allowed: more than"
                        + " execution.checkpointing.interval (15 min)");
    }

    @Test
    void asksForMessagesThatHoldAVector() {
        Configuration options = complete();
        options.setString("moe.kafka.properties", "{max.request.size: 65536}");

        assertThatCode(() -> MessageSize.require(options, "a scored token", 49_152))
                .doesNotThrowAnyException();
        assertThatThrownBy(() -> MessageSize.require(options, "a scored token", 49_153))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "moe.kafka.properties: max.request.size is 65536, but a scored token of this"
                                + " model can have 65537 bytes; set it to that or more, and also"
                                + " max.message.bytes of the topics");
        options.setString("moe.kafka.properties", "{max.request.size: 1 MB}");
        assertThatThrownBy(() -> MessageSize.require(options, "a token", 1))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(
                        "moe.kafka.properties: max.request.size is '1 MB'; allowed: 32768 or more");
    }

    @Test
    void namesTheSchemaFileThatCannotBeUsed() throws Exception {
        String missing = dir.resolve("missing.avsc").toString();
        String broken = schemaFile("{");
        String other = schemaFile("{\"type\": \"record\", \"name\": \"T\", \"fields\": []}");

        for (String file : List.of(missing, broken, other)) {
            String reason = file.equals(missing) ? ": there is no such file or folder" : ": ";
            Configuration options = complete();
            options.set(RecordOptions.SCHEMAS, List.of(file));
            assertThatThrownBy(
                            () ->
                                    new TokenRecords(
                                            options,
                                            InputLayout.vector(2),
                                            KafkaInput.timestamps(options, true)))
                    .isInstanceOf(IllegalConfigurationException.class)
                    .hasMessageStartingWith("moe.schema: cannot use " + file + reason);
        }
    }

    private String schemaFile(String schema) throws Exception {
        return Files.writeString(Files.createTempFile(dir, "token", ".avsc"), schema).toString();
    }

    private static void assertRefused(Configuration options, String message) {
        assertThatThrownBy(
                        () ->
                                ScoringJob.build(
                                        StreamExecutionEnvironment.getExecutionEnvironment(),
                                        options))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageStartingWith(message);
    }

    private static Configuration complete() {
        return Configuration.fromMap(
                Map.of(
                        "moe.bundle", "model",
                        "moe.kafka.brokers", "broker:9092",
                        "moe.source.topic", "in",
                        "moe.sink.topic", "out",
                        "moe.dead-letter.topic", "dead"));
    }
}
