// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring;

import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.scoring.KafkaOptions.Delivery;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.ConfigOption;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TopicCheckTest {

    private final TopicCheck check = new TopicCheck(Delivery.EXACTLY_ONCE);
    private final TopicCheck idempotent = new TopicCheck(Delivery.IDEMPOTENT);

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

    @Test
    void keysOfTokensWantTopicsThatAreCompactedAndLimited() {
        for (String policy : List.of("delete", "compact", "compact,delete", "delete,compact")) {
            idempotent.check(
                    KafkaOptions.SINK_TOPIC, "t", config(Map.of("cleanup.policy", policy)), 3, 0);
        }

        assertThat(idempotent.refusals()).isEmpty();
        assertThat(idempotent.warnings())
                .containsExactly(
                        "the topic t (moe.sink.topic) has cleanup.policy=delete, so records that"
                                + " come again after a failure stay in it; recommended with"
                                + " moe.sink.delivery: idempotent: compact,delete",
                        "the topic t (moe.sink.topic) has cleanup.policy=compact, so it grows"
                                + " without a limit, because each token has a key of its own;"
                                + " recommended with moe.sink.delivery: idempotent: compact,delete");
    }

    @Test
    void eventTimesMustNotBeRejected() {
        Map<String, String> limited =
                Map.of(
                        "message.timestamp.type", "CreateTime",
                        "message.timestamp.after.max.ms", "3600000",
                        "message.timestamp.before.max.ms", "9223372036854775807");
        Map<String, String> append = new HashMap<>(limited);
        append.put("message.timestamp.type", "LogAppendTime");

        check(KafkaOptions.SINK_TOPIC, limited);
        idempotent.check(KafkaOptions.SINK_TOPIC, "a", config(append), 3, 0);
        idempotent.check(KafkaOptions.DEAD_LETTER_TOPIC, "d", config(limited), 3, 0);
        idempotent.check(KafkaOptions.DECISION_LOG_TOPIC, "t", config(limited), 3, 0);

        assertThat(check.refusals()).isEmpty();
        assertThat(idempotent.refusals())
                .containsExactly(
                        "the topic t (moe.decision-log.topic) has"
                                + " message.timestamp.after.max.ms=3600000, so the broker rejects"
                                + " answers whose event time is further from its clock; set it to"
                                + " 9223372036854775807, or set message.timestamp.type=LogAppendTime");
    }

    @Test
    void warnsOfRetentionThatCountsFromTheEventTime() {
        Map<String, String> week =
                Map.of(
                        "cleanup.policy", "compact,delete",
                        "retention.ms", "604800000",
                        "message.timestamp.type", "CreateTime");
        Map<String, String> forever = new HashMap<>(week);
        forever.put("retention.ms", "-1");
        Map<String, String> append = new HashMap<>(week);
        append.put("message.timestamp.type", "LogAppendTime");

        idempotent.check(KafkaOptions.SINK_TOPIC, "t", config(week), 3, 0);
        idempotent.check(KafkaOptions.SINK_TOPIC, "f", config(forever), 3, 0);
        idempotent.check(KafkaOptions.SINK_TOPIC, "a", config(append), 3, 0);

        assertThat(idempotent.warnings())
                .containsExactly(
                        "the topic t (moe.sink.topic) has retention.ms=604800000, which counts from"
                                + " the event time with moe.sink.delivery: idempotent, so answers"
                                + " to older events are soon removed; set"
                                + " message.timestamp.type=LogAppendTime to count from the time of"
                                + " writing");
    }

    @Test
    void warnsOfTimestampsThatNoClockIsComparedWith() {
        for (String type : List.of("CreateTime", "LogAppendTime")) {
            check.checkSource("s", config(Map.of("message.timestamp.type", type)));
            idempotent.checkSource("s", config(Map.of("message.timestamp.type", type)));
        }
        idempotent.checkSource("s", config(Map.of()));

        assertThat(check.warnings()).isEmpty();
        assertThat(idempotent.warnings())
                .singleElement()
                .asString()
                .startsWith("producers set the timestamps of the topic s (moe.source.topic)");
    }

    private void check(ConfigOption<String> option, Map<String, String> entries) {
        check.check(option, "t", config(entries), 3, 1_000);
    }

    private static Config config(Map<String, String> entries) {
        return new Config(
                entries.entrySet().stream()
                        .map(entry -> new ConfigEntry(entry.getKey(), entry.getValue()))
                        .toList());
    }
}
