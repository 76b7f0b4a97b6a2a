// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.StreamWriteFeature;
import com.fasterxml.jackson.core.io.SerializedString;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.column.Column;
import io.flinkmoe.kafka.RecordKey;
import io.flinkmoe.kafka.TopicSerializer;
import io.flinkmoe.kafka.decode.RecordReader.Keeper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Writes answers in JSON: one flat object with the kept fields of the record, the outputs of the
 * model under their names (null if nothing ran), {@code model_version} and, on request, {@code
 * choices}. Kept headers are headers of the answer.
 */
@PublicEvolving
public final class JsonAnswerSerializer extends TopicSerializer<ScoredToken> {

    private static final long serialVersionUID = 1L;

    private static final JsonFactory JSON =
            new JsonFactoryBuilder()
                    .enable(StreamWriteFeature.USE_FAST_DOUBLE_WRITER)
                    .rootValueSeparator("") // Each object is a value of its own.
                    .build();

    private final AnswerFields fields;
    private final RecordKey recordKey;

    private transient List<SerializedString> names;
    private transient OwnFields own;
    private transient JsonGenerator json;

    /**
     * @param topic the topic to write to
     * @param fields what answers have, as the deserializer knows it
     * @param recordKey the key and the timestamp of answers
     */
    public JsonAnswerSerializer(String topic, AnswerFields fields, RecordKey recordKey) {
        super(topic);
        this.fields = fields;
        this.recordKey = recordKey;
    }

    @Override
    public void open(SerializationSchema.InitializationContext context, KafkaSinkContext sink) {
        own = new OwnFields();
        json = generator(own);
        names = new ArrayList<>();
        for (Column column : fields.outputs().columns()) {
            names.add(new SerializedString(column.name()));
        }
    }

    private static JsonGenerator generator(OutputStream out) {
        try {
            return JSON.createGenerator(out);
        } catch (IOException e) {
            throw new UncheckedIOException(e); // Not into memory.
        }
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            ScoredToken token, KafkaSinkContext context, Long timestamp) {
        Payload payload = Payload.of(token.payload(), Keeper.JSON);
        return payload.addHeaders(
                recordKey.record(
                        topic, RecordKey.TokenId.of(token), value(token, payload), context));
    }

    private byte[] value(ScoredToken token, Payload payload) {
        own.reset();
        try {
            json.writeStartObject();
            List<Column> columns = fields.outputs().columns();
            for (int i = 0; i < columns.size(); i++) {
                json.writeFieldName(names.get(i));
                write(AnswerOutputs.of(token, columns.get(i), i));
            }
            json.writeStringField(AnswerFields.MODEL_VERSION, token.modelVersion());
            if (fields.choices().areWanted()) {
                writeChoices(token);
            }
            json.writeEndObject();
            json.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(e); // Not into memory.
        }
        byte[] kept = payload.fields();
        return kept.length == 0 ? own.toByteArray() : own.after(kept);
    }

    /** The fields of an object that are not kept ones. */
    private static final class OwnFields extends ByteArrayOutputStream {

        /** Writes the elements of an array. Those that are not finite are texts. */
        void write(float[] numbers) {
            int most = numbers.length * (FloatText.MAX_BYTES + 1);
            if (buf.length - count < most) {
                buf = Arrays.copyOf(buf, Math.max(2 * buf.length, count + most));
            }
            byte[] to = buf;
            int at = count;
            for (int i = 0; i < numbers.length; i++) {
                if (i > 0) {
                    to[at++] = ',';
                }
                at =
                        Float.isFinite(numbers[i])
                                ? FloatText.write(numbers[i], to, at)
                                : writeText(Float.toString(numbers[i]), to, at);
            }
            count = at;
        }

        private static int writeText(String text, byte[] to, int at) {
            byte[] quoted = ('"' + text + '"').getBytes(US_ASCII);
            System.arraycopy(quoted, 0, to, at, quoted.length);
            return at + quoted.length;
        }

        /** Returns the object with other fields first. */
        byte[] after(byte[] kept) {
            byte[] object = new byte[kept.length + 1 + count];
            object[0] = '{';
            System.arraycopy(kept, 0, object, 1, kept.length);
            System.arraycopy(buf, 0, object, kept.length + 1, count);
            object[kept.length + 1] = ',';
            return object;
        }
    }

    private void write(Object value) throws IOException {
        if (value instanceof float[] floats) {
            json.writeRawValue("[");
            json.flush(); // What follows does not go through the generator.
            own.write(floats);
            json.writeRaw(']');
        } else if (value != null && value.getClass().isArray()) {
            json.writeStartArray();
            for (int i = 0; i < Array.getLength(value); i++) {
                element(Array.get(value, i));
            }
            json.writeEndArray();
        } else {
            element(value);
        }
    }

    private void writeChoices(ScoredToken token) throws IOException {
        json.writeArrayFieldStart(AnswerFields.CHOICES);
        fields.choices()
                .forEach(
                        token.layers(),
                        (layer, gate, expert, weight, outcome) -> {
                            json.writeStartObject();
                            json.writeNumberField("layer", layer);
                            json.writeStringField("gate", gate);
                            json.writeStringField("expert", expert);
                            json.writeFieldName("weight");
                            element(Float.isFinite(weight) ? weight : null);
                            json.writeStringField("outcome", outcome);
                            json.writeEndObject();
                        });
        json.writeEndArray();
    }

    private void element(Object value) throws IOException {
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
