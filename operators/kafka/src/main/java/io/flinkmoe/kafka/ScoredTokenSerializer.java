// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.schemas.ScoredTokenEncoder;
import java.nio.charset.StandardCharsets;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Writes scored tokens to a topic. The key is the stream, so all tokens of a stream are in one
 * partition. The timestamp of the Kafka record is the time of writing. The event time is a field of
 * the token.
 */
@PublicEvolving
public final class ScoredTokenSerializer extends TopicSerializer<ScoredToken> {

    private static final long serialVersionUID = 1L;

    private transient ScoredTokenEncoder encoder;

    /**
     * @param topic the topic to write to
     * @param format the format of its records
     */
    public ScoredTokenSerializer(String topic, RecordFormat format) {
        super(topic, format);
    }

    @Override
    public void open(SerializationSchema.InitializationContext context, KafkaSinkContext sink) {
        encoder =
                format == RecordFormat.AVRO
                        ? ScoredTokenEncoder.singleObject()
                        : ScoredTokenEncoder.raw();
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            ScoredToken token, KafkaSinkContext context, Long timestamp) {
        Decision[] layers = token.layers();
        int[][] experts = new int[layers.length][];
        float[][] weights = new float[layers.length][];
        int[][] outcomes = new int[layers.length][];
        for (int layer = 0; layer < layers.length; layer++) {
            experts[layer] = layers[layer].experts();
            weights[layer] = layers[layer].weights();
            outcomes[layer] = new int[experts[layer].length];
            for (int choice = 0; choice < outcomes[layer].length; choice++) {
                outcomes[layer][choice] = layers[layer].outcomes()[choice].code();
            }
        }
        byte[] value =
                encoder.encode(
                        token.stream(),
                        token.position(),
                        token.timestamp(),
                        token.outputs() == null ? token.values() : null,
                        token.outputs() == null ? null : token.outputs().toMap(),
                        token.modelVersion(),
                        experts,
                        weights,
                        outcomes);
        byte[] key = token.stream().getBytes(StandardCharsets.UTF_8);
        return new ProducerRecord<>(topic, key, value);
    }
}
