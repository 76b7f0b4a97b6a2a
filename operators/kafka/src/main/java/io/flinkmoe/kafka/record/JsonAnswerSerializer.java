// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.kafka.RecordKey;
import io.flinkmoe.kafka.TopicSerializer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Array;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;

/**
 * Writes answers in JSON: one flat object with the kept fields of the record, the outputs of the
 * model under their names (null if nothing ran), and {@code model_version}. Kept headers are
 * headers of the answer.
 */
@PublicEvolving
public final class JsonAnswerSerializer extends TopicSerializer<ScoredToken> {

    private static final long serialVersionUID = 1L;

    private static final String MODEL_VERSION = "model_version";
    private static final JsonFactory JSON = new JsonFactory();

    private final ColumnLayout outputs;
    private final RecordKey recordKey;

    /**
     * @param topic the topic to write to
     * @param outputs the outputs of the model
     * @param binding the binding with which the records were read
     * @param recordKey the key and the timestamp of answers
     * @throws IllegalArgumentException if a kept field has the name of an output
     */
    public JsonAnswerSerializer(
            String topic, ColumnLayout outputs, RecordBinding binding, RecordKey recordKey) {
        super(topic);
        this.outputs = outputs;
        this.recordKey = recordKey;
        Set<String> taken = new HashSet<>(Set.of(MODEL_VERSION));
        outputs.columns().forEach(column -> taken.add(column.name()));
        for (FieldPath kept : binding.kept()) {
            if (taken.contains(kept.last())) {
                throw new IllegalArgumentException(
                        "the kept field %s has the name of another field of the answer; allowed: other names than %s"
                                .formatted(kept, taken));
            }
        }
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            ScoredToken token, KafkaSinkContext context, Long timestamp) {
        Payload payload = Payload.of(token.payload());
        ProducerRecord<byte[], byte[]> record =
                recordKey.record(
                        topic, RecordKey.TokenId.of(token), value(token, payload), context);
        for (Header header : payload.headers()) {
            record.headers().add(header);
        }
        return record;
    }

    private byte[] value(ScoredToken token, Payload payload) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(256 + payload.fields().length);
        out.write('{');
        out.writeBytes(payload.fields());
        ByteArrayOutputStream others = new ByteArrayOutputStream(256);
        try (JsonGenerator json = JSON.createGenerator(others)) {
            json.writeStartObject();
            Map<String, Object> named = token.outputs() == null ? null : token.outputs().toMap();
            List<Column> columns = outputs.columns();
            for (Column column : columns) {
                json.writeFieldName(column.name());
                write(json, column, named == null ? token.values() : named.get(column.name()));
            }
            json.writeStringField(MODEL_VERSION, token.modelVersion());
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException(e); // Not into memory.
        }
        if (payload.fields().length > 0) {
            out.write(',');
        }
        out.write(others.toByteArray(), 1, others.size() - 1);
        return out.toByteArray();
    }

    private static void write(JsonGenerator json, Column column, Object value) throws IOException {
        boolean isVector = value != null && value.getClass().isArray();
        if (!isVector) {
            element(json, value);
        } else if (column.width() == null) {
            element(json, Array.get(value, 0));
        } else {
            json.writeStartArray();
            for (int i = 0; i < Array.getLength(value); i++) {
                element(json, Array.get(value, i));
            }
            json.writeEndArray();
        }
    }

    private static void element(JsonGenerator json, Object value) throws IOException {
        if (value == null) {
            json.writeNull();
        } else if (value instanceof Float number) {
            json.writeNumber(number);
        } else if (value instanceof Double number) {
            json.writeNumber(number);
        } else if (value instanceof Number number) {
            json.writeNumber(number.longValue());
        } else if (value instanceof Boolean flag) {
            json.writeBoolean(flag);
        } else {
            json.writeString(value.toString());
        }
    }
}
