// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.ConfigOption;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TopicCheckTest {

    private final TopicCheck check = new TopicCheck();

    @Test
    void acceptsTopicsOfTheDefaults() {
        check(
                KafkaOptions.SINK_TOPIC,
                Map.of(
                        "cleanup.policy", "delete",
                        "max.message.bytes", "1048588",
                        "min.insync.replicas", "1"));

        assertThat(check.refusals()).isEmpty();
        assertThat(check.warnings()).isEmpty();
    }

    /** Their keys are unique. */
    @ParameterizedTest
    @ValueSource(strings = {"compact", "compact,delete"})
    void deadLettersMayBeCompacted(String policy) {
        check(KafkaOptions.DEAD_LETTER_TOPIC, Map.of("cleanup.policy", policy));

        assertThat(check.refusals()).isEmpty();
        assertThat(check.warnings()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"compact", "compact,delete", "delete,compact"})
    void warnsWhereAStreamsRecordsReplaceEachOther(String policy) {
        List<ConfigOption<String>> options =
                List.of(
                        KafkaOptions.SINK_TOPIC,
                        KafkaOptions.DECISION_LOG_TOPIC,
                        KafkaOptions.LATE_TOPIC);
        for (ConfigOption<String> option : options) {
            check(option, Map.of("cleanup.policy", policy));
        }

        assertThat(check.refusals()).isEmpty();
        assertThat(check.warnings())
                .hasSize(3)
                .allMatch(warning -> warning.contains("has cleanup.policy=" + policy + ", "));
    }

    @Test
    void refusesWhatCanNeverBeWritten() {
        check(KafkaOptions.SINK_TOPIC, Map.of("max.message.bytes", "999"));
        check(KafkaOptions.LATE_TOPIC, Map.of("min.insync.replicas", "4"));

        assertThat(check.refusals())
                .containsExactly(
                        "the topic t (moe.sink.topic) has max.message.bytes=999, but the job can"
                                + " write messages of 1000 bytes; raise it",
                        "the topic t (moe.late.topic) has min.insync.replicas=4 but a partition"
                                + " with 3 replicas, which accepts no writes; lower it or add"
                                + " replicas");
    }

    @Test
    void brokersNeedNotTellEverything() {
        check(KafkaOptions.SINK_TOPIC, Map.of());
        check.check(
                KafkaOptions.SINK_TOPIC,
                "t",
                new Config(List.of(new ConfigEntry("cleanup.policy", null))),
                3,
                1_000);

        assertThat(check.refusals()).isEmpty();
        assertThat(check.warnings()).isEmpty();
        assertThat(TopicCheck.maxMessageBytes(new Config(List.of()))).isEqualTo(Integer.MAX_VALUE);
    }

    private void check(ConfigOption<String> option, Map<String, String> entries) {
        Config config =
                new Config(
                        entries.entrySet().stream()
                                .map(entry -> new ConfigEntry(entry.getKey(), entry.getValue()))
                                .toList());
        check.check(option, "t", config, 3, 1_000);
    }
}
