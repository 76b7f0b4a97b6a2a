// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.schemas.ScoredTokenEncoder;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Writes scored tokens to a topic. All tokens of a stream are in one partition. The {@link
 * RecordKey} decides which key and timestamp the Kafka record has; by default, the key is the
 * stream. The event time is a field of the token.
 */
@PublicEvolving
public final class ScoredTokenSerializer extends TopicSerializer<ScoredToken> {

    private static final long serialVersionUID = 1L;

    private final RecordFormat format;

    private final RecordKey recordKey;

    private transient ScoredTokenEncoder encoder;

    /**
     * Writes under the stream.
     *
     * @param topic the topic to write to
     * @param format the format of its records
     */
    public ScoredTokenSerializer(String topic, RecordFormat format) {
        this(topic, format, RecordKey.STREAM);
    }

    /**
     * @param topic the topic to write to
     * @param format the format of its records
     * @param recordKey the key and the timestamp of its records
     */
    public ScoredTokenSerializer(String topic, RecordFormat format, RecordKey recordKey) {
        super(topic);
        this.format = format;
        this.recordKey = recordKey;
    }

    @Override
    public void open(SerializationSchema.InitializationContext context, KafkaSinkContext sink) {
        encoder =
                format == RecordFormat.TOKEN
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
        return recordKey.record(topic, RecordKey.TokenId.of(token), value, context);
    }
}
