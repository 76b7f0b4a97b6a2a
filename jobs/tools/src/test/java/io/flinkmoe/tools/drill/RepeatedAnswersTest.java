// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.drill;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.schemas.ScoredToken;
import io.flinkmoe.tools.drill.RepeatedAnswers.ZombieTime;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;
import org.junit.jupiter.api.Test;

class RepeatedAnswersTest {

    private final RepeatedAnswers answers =
            new RepeatedAnswers(stream -> 3, List.of(new ZombieTime(10, 20)));

    @Test
    void theFirstRecordOfAKeyCounts() throws Exception {
        answers.add(record("s/3/7", 0, value(7, 1), headers("a")));
        answers.add(record("s/3/8", 9, value(8, 1), headers("a")));
        answers.add(record("s/3/7", 9, value(7, 1), headers("a")));
        answers.add(record("s/3/8", 10, value(8, 1), headers("a")));

        assertThat(answers.first().byStream().get("s"))
                .extracting(ScoredToken::getPosition)
                .containsExactly(7L, 8L);
        assertThat(answers.counts()).isEqualTo(counts(2, 1, 0, 0));
    }

    @Test
    void anotherValueOrHeaderUnderAKeyIsADifference() throws Exception {
        answers.add(record("s/3/7", 0, value(7, 1), headers("a")));
        answers.add(record("s/3/7", 0, value(7, 2), headers("a")));
        answers.add(record("s/3/7", 0, value(7, 1), headers("b")));

        assertThat(answers.counts()).isEqualTo(counts(0, 0, 2, 0));
    }

    @Test
    void everyKeyIsThatOfItsTokenAndEveryStreamInOnePartition() throws Exception {
        answers.add(record("s/2/7", 0, value(7, 1), headers("a")));
        answers.add(record("s/3/9", 0, value(8, 1), headers("a")));
        answers.add(new ConsumerRecord<>("t", 6, 0, "s/3/10".getBytes(UTF_8), value(10, 1)));

        assertThat(answers.counts()).isEqualTo(counts(0, 0, 0, 3));
    }

    private static Map<Difference, Long> counts(
            long repeated, long byZombies, long changed, long misplaced) {
        return Map.of(
                Difference.REPEATED, repeated,
                Difference.BY_ZOMBIES, byZombies,
                Difference.CHANGED, changed,
                Difference.MISPLACED, misplaced);
    }

    private static ConsumerRecord<byte[], byte[]> record(
            String key, long time, byte[] value, Headers headers) {
        return new ConsumerRecord<>(
                "t",
                5,
                0,
                time,
                TimestampType.LOG_APPEND_TIME,
                key.length(),
                value.length,
                key.getBytes(UTF_8),
                value,
                headers,
                Optional.empty());
    }

    private static Headers headers(String value) {
        return new RecordHeaders().add("h", value.getBytes(UTF_8));
    }

    private static byte[] value(long position, float score) throws Exception {
        return ScoredToken.newBuilder()
                .setStream("s")
                .setPosition(position)
                .setTimestamp(Instant.EPOCH)
                .setValues(List.of(score))
                .setModelVersion("1")
                .setLayers(List.of())
                .build()
                .toByteBuffer()
                .array();
    }
}
