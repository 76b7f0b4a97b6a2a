// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import io.flinkmoe.api.Token;
import io.flinkmoe.schemas.TokenEncoder;
import java.nio.charset.StandardCharsets;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Writes tokens to a topic: tokens to score, or late tokens. The key is the stream, so all tokens
 * of a stream are in one partition, in order.
 */
@PublicEvolving
public final class TokenSerializer extends TopicSerializer<Token> {

    private static final long serialVersionUID = 1L;

    private final RecordFormat format;

    private transient TokenEncoder encoder;

    /**
     * @param topic the topic to write to
     * @param format the format of its records
     */
    public TokenSerializer(String topic, RecordFormat format) {
        super(topic);
        this.format = format;
    }

    @Override
    public void open(SerializationSchema.InitializationContext context, KafkaSinkContext sink) {
        encoder = format == RecordFormat.TOKEN ? TokenEncoder.singleObject() : TokenEncoder.raw();
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            Token token, KafkaSinkContext context, Long timestamp) {
        byte[] value = encode(token, encoder);
        byte[] key = token.stream().getBytes(StandardCharsets.UTF_8);
        return new ProducerRecord<>(topic, key, value);
    }

    /** Encodes a token with its vector or its inputs. */
    static byte[] encode(Token token, TokenEncoder encoder) {
        String stream = token.stream();
        return token.inputs() == null
                ? encoder.encode(stream, token.position(), token.timestamp(), token.values())
                : encoder.encode(
                        stream, token.position(), token.timestamp(), token.inputs().toMap());
    }
}
