// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Decision;
import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.ScoredToken;
import java.util.List;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema.KafkaSinkContext;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RecordKeyTest {

    @ParameterizedTest
    @CsvSource({
        "JFK ✈, 3, 7, 99, 99",
        "a/b, 0, -1, -5, 0",
        "'', 12, 9223372036854775807, 0, 0",
    })
    void keyOfATokenHasStreamPartitionAndPosition(
            String stream, int partition, long position, long timestamp, long written)
            throws Exception {
        ScoredToken token =
                new ScoredToken(
                        stream,
                        position,
                        timestamp,
                        new float[] {1},
                        null,
                        "v1",
                        new Decision[0],
                        partition,
                        null);
        DecisionRecord decision =
                new DecisionRecord(
                        stream,
                        position,
                        timestamp,
                        0,
                        "v1",
                        new DecisionRecord.Layer[0],
                        partition);

        for (ProducerRecord<byte[], byte[]> record :
                List.of(
                        serialize(
                                new ScoredTokenSerializer(
                                        "out", RecordFormat.TOKEN, RecordKey.TOKEN),
                                token),
                        serialize(
                                new DecisionSerializer("out", RecordFormat.TOKEN, RecordKey.TOKEN),
                                decision))) {
            assertThat(record.key())
                    .asString(UTF_8)
                    .isEqualTo(stream + "/" + partition + "/" + position);
            assertThat(record.partition())
                    .isEqualTo(10 * BuiltInPartitioner.partitionForKey(stream.getBytes(UTF_8), 3));
            assertThat(record.timestamp()).isEqualTo(written);
            assertThat(record.headers()).isEmpty();
        }
    }

    @Test
    void keyOfAStreamLeavesPartitionAndTimestampToTheProducer() throws Exception {
        ScoredToken token =
                new ScoredToken("s", 7, 99, new float[] {1}, null, "v1", new Decision[0], 3, null);

        ProducerRecord<byte[], byte[]> record =
                serialize(new ScoredTokenSerializer("out", RecordFormat.TOKEN_RAW), token);

        assertThat(record.key()).asString(UTF_8).isEqualTo("s");
        assertThat(record.partition()).isNull();
        assertThat(record.timestamp()).isNull();
    }

    private static <T> ProducerRecord<byte[], byte[]> serialize(
            KafkaRecordSerializationSchema<T> serializer, T element) throws Exception {
        serializer.open(null, null);
        return serializer.serialize(element, new Context(), null);
    }

    /** Of a topic with three partitions. */
    private static final class Context implements KafkaSinkContext {

        @Override
        public int getParallelInstanceId() {
            return 0;
        }

        @Override
        public int getNumberOfParallelInstances() {
            return 1;
        }

        @Override
        public int[] getPartitionsForTopic(String topic) {
            return new int[] {0, 10, 20};
        }
    }
}
