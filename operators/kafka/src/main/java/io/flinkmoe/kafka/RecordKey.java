// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import io.flinkmoe.api.ScoredToken;
import java.nio.charset.StandardCharsets;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema.KafkaSinkContext;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.utils.Utils;

/**
 * Which key and timestamp the records about tokens have. Whatever the key, all records of a stream
 * are in one partition, the same one.
 */
@PublicEvolving
public enum RecordKey {

    /** The key is the stream. The timestamp is the time of writing. */
    STREAM {
        @Override
        public ProducerRecord<byte[], byte[]> record(
                String topic, TokenId token, byte[] value, KafkaSinkContext context) {
            return new ProducerRecord<>(topic, stream(token), value);
        }
    },

    /**
     * The key is {@code stream/partition/position}: the stream, the partition that the token was
     * read from, and its position. It differs from token to token, and is the same whenever a token
     * is written again. The timestamp is the event time, or 0 for event times before 1970, which
     * Kafka does not have.
     *
     * <p>The record's partition is the one that {@link #STREAM} leads to with Kafka's default
     * partitioner.
     */
    TOKEN {
        @Override
        public ProducerRecord<byte[], byte[]> record(
                String topic, TokenId token, byte[] value, KafkaSinkContext context) {
            int[] partitions = context.getPartitionsForTopic(topic);
            int hash = Utils.toPositive(Utils.murmur2(stream(token)));
            String key = token.stream() + '/' + token.partition() + '/' + token.position();
            return new ProducerRecord<>(
                    topic,
                    partitions[hash % partitions.length],
                    Math.max(0, token.timestamp()),
                    key.getBytes(StandardCharsets.UTF_8),
                    value);
        }
    };

    /** Returns the record about a token. */
    @Internal
    public abstract ProducerRecord<byte[], byte[]> record(
            String topic, TokenId token, byte[] value, KafkaSinkContext context);

    private static byte[] stream(TokenId token) {
        return token.stream().getBytes(StandardCharsets.UTF_8);
    }

    /**
     * What identifies a token, and its event time.
     *
     * @param partition the partition that it was read from
     */
    @Internal
    public record TokenId(String stream, int partition, long position, long timestamp) {

        /** What identifies the token of an answer. */
        public static TokenId of(ScoredToken token) {
            return new TokenId(
                    token.stream(), token.partition(), token.position(), token.timestamp());
        }
    }
}
