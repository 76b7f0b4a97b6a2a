// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Token;
import io.flinkmoe.kafka.DeadLetterSerializer;
import io.flinkmoe.kafka.RecordFormat;
import io.flinkmoe.kafka.TopicSerializer;
import io.flinkmoe.schemas.Header;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.message.MessageDecoder;
import org.apache.avro.message.RawMessageDecoder;
import org.apache.avro.specific.SpecificData;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Writes dead letters in JSON, one object each, with the same contents and under the same key as
 * {@link DeadLetterSerializer}. Key, value and headers of the record are texts. What is no text in
 * UTF-8, or would be too long with its escapes, is in base64, in a field with that ending.
 */
@Internal
final class JsonDeadLetterSerializer extends TopicSerializer<DeadLetter> {

    private static final long serialVersionUID = 1L;

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String BASE64 = "_base64";
    private static final MessageDecoder<io.flinkmoe.schemas.DeadLetter> DECODER =
            new RawMessageDecoder<>(
                    SpecificData.getForClass(io.flinkmoe.schemas.DeadLetter.class),
                    io.flinkmoe.schemas.DeadLetter.getClassSchema());

    private final int maxRecordBytes;
    private final DeadLetterSerializer letters;

    /**
     * @param maxRecordBytes the maximum bytes of key, value and headers in a dead letter
     */
    JsonDeadLetterSerializer(String topic, int maxRecordBytes) {
        super(topic);
        this.maxRecordBytes = maxRecordBytes;
        // Base64 has four characters for three bytes.
        letters = new DeadLetterSerializer(topic, RecordFormat.TOKEN_RAW, maxRecordBytes / 4 * 3);
    }

    @Override
    public void open(SerializationSchema.InitializationContext context, KafkaSinkContext sink) {
        letters.open(context, sink);
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            DeadLetter letter, KafkaSinkContext context, Long timestamp) {
        ProducerRecord<byte[], byte[]> fitted = letters.serialize(letter, context, timestamp);
        io.flinkmoe.schemas.DeadLetter record = decode(fitted.value());
        byte[] value = write(withTexts(record, letter.token()));
        return new ProducerRecord<>(
                topic,
                fitted.key(),
                value.length <= maxRecordBytes ? value : write(withoutTexts(record)));
    }

    private static io.flinkmoe.schemas.DeadLetter decode(byte[] value) {
        try {
            return DECODER.decode(value);
        } catch (IOException e) {
            throw new UncheckedIOException(e); // Not of what was encoded just before.
        }
    }

    private static Map<String, Object> withTexts(
            io.flinkmoe.schemas.DeadLetter record, Token token) {
        Map<String, Object> fields = reason(record);
        if (token != null) {
            fields.put("token", token(token));
            return fields;
        }
        put(fields, "key", record.getKey(), true);
        put(fields, "value", record.getValue(), true);
        fields.put("headers", headers(record, true));
        return fields;
    }

    private static Map<String, Object> withoutTexts(io.flinkmoe.schemas.DeadLetter record) {
        Map<String, Object> fields = reason(record);
        put(fields, "key", record.getKey(), false);
        put(fields, "value", record.getValue(), false);
        fields.put("headers", headers(record, false));
        return fields;
    }

    /** What a dead letter has besides the record. */
    private static Map<String, Object> reason(io.flinkmoe.schemas.DeadLetter record) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("kind", record.getKind());
        fields.put("reason", record.getReason());
        fields.put("topic", record.getTopic());
        fields.put("partition", record.getPartition());
        fields.put("offset", record.getOffset());
        fields.put(
                "timestamp",
                record.getTimestamp() == null ? null : record.getTimestamp().toEpochMilli());
        return fields;
    }

    private static List<Object> headers(io.flinkmoe.schemas.DeadLetter record, boolean triesText) {
        List<Object> headers = new ArrayList<>();
        for (Header header : record.getHeaders()) {
            Map<String, Object> fields = new LinkedHashMap<>();
            fields.put("key", header.getKey());
            put(fields, "value", header.getValue(), triesText);
            headers.add(fields);
        }
        return headers;
    }

    /** A token whose record is no longer known. */
    private static Map<String, Object> token(Token token) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("stream", token.stream());
        fields.put("position", token.position());
        fields.put("timestamp", token.timestamp());
        fields.put("inputs", token.inputs() == null ? token.values() : token.inputs().toMap());
        return fields;
    }

    private static void put(
            Map<String, Object> fields, String name, ByteBuffer bytes, boolean triesText) {
        String text = bytes == null || !triesText ? null : text(bytes);
        if (bytes == null || text != null) {
            fields.put(name, text);
        } else {
            byte[] copy = new byte[bytes.remaining()];
            bytes.duplicate().get(copy);
            fields.put(name + BASE64, Base64.getEncoder().encodeToString(copy));
        }
    }

    /** Returns null if the bytes are not UTF-8. */
    private static String text(ByteBuffer bytes) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(bytes.duplicate()).toString();
        } catch (CharacterCodingException e) {
            return null;
        }
    }

    private static byte[] write(Map<String, Object> fields) {
        try {
            return JSON.writeValueAsBytes(fields);
        } catch (JsonProcessingException e) {
            throw new UncheckedIOException(e);
        }
    }
}
