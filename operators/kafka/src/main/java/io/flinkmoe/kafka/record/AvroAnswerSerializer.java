// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.column.Column;
import io.flinkmoe.kafka.RecordKey;
import io.flinkmoe.kafka.TopicSerializer;
import io.flinkmoe.kafka.registry.WireFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.lang.reflect.Array;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.kafka.clients.producer.ProducerRecord;

/**
 * Writes answers in Avro, with an {@link AnswerSchema}, without a header or in Confluent's wire
 * format. Kept headers are headers of the answer.
 */
@PublicEvolving
public final class AvroAnswerSerializer extends TopicSerializer<ScoredToken> {

    private static final long serialVersionUID = 1L;

    private static final int NULL = 0;
    private static final int VALUE = 1;

    private final AnswerSchema schema;
    private final byte[] header;
    private final RecordKey recordKey;

    private transient Resolution resolution;
    private transient ByteArrayOutputStream out;
    private transient BinaryEncoder encoder;

    private AvroAnswerSerializer(
            String topic, AnswerSchema schema, byte[] header, RecordKey recordKey) {
        super(topic);
        this.schema = schema;
        this.header = header;
        this.recordKey = recordKey;
    }

    /**
     * Writes answers without a header: whoever reads them needs {@link AnswerSchema#schema()}.
     *
     * @param topic the topic to write to
     * @param schema the schema of the answers
     * @param recordKey the key and the timestamp of answers
     */
    public static AvroAnswerSerializer plain(
            String topic, AnswerSchema schema, RecordKey recordKey) {
        return new AvroAnswerSerializer(topic, schema, new byte[0], recordKey);
    }

    /**
     * Writes answers in Confluent's wire format.
     *
     * @param topic the topic to write to
     * @param schema the schema of the answers
     * @param id the id that the registry has given {@link AnswerSchema#schema()}
     * @param recordKey the key and the timestamp of answers
     */
    public static AvroAnswerSerializer registry(
            String topic, AnswerSchema schema, int id, RecordKey recordKey) {
        return new AvroAnswerSerializer(
                topic, schema, WireFormat.message(id, new byte[0]), recordKey);
    }

    /** What makes an answer in the generated schema one in the schema that it is written with. */
    private interface Resolution extends Serializable {
        byte[] resolve(byte[] answer, byte[] header) throws IOException;
    }

    @Override
    public void open(SerializationSchema.InitializationContext context, KafkaSinkContext sink) {
        out = new ByteArrayOutputStream();
        encoder = EncoderFactory.get().binaryEncoder(out, null);
        Schema generated = schema.generated();
        Schema written = schema.schema();
        if (!generated.equals(written)) {
            resolution = resolution(generated, written);
        }
    }

    private static Resolution resolution(Schema generated, Schema written) {
        GenericDatumReader<Object> reader = new GenericDatumReader<>(generated, written);
        GenericDatumWriter<Object> writer = new GenericDatumWriter<>(written);
        return (answer, header) -> {
            BinaryDecoder in =
                    DecoderFactory.get()
                            .binaryDecoder(
                                    answer, header.length, answer.length - header.length, null);
            ByteArrayOutputStream resolved = new ByteArrayOutputStream();
            resolved.write(header);
            BinaryEncoder to = EncoderFactory.get().binaryEncoder(resolved, null);
            writer.write(reader.read(null, in), to);
            to.flush();
            return resolved.toByteArray();
        };
    }

    @Override
    public ProducerRecord<byte[], byte[]> serialize(
            ScoredToken token, KafkaSinkContext context, Long timestamp) {
        Payload payload = Payload.of(token.payload(), schema.form());
        return payload.addHeaders(
                recordKey.record(
                        topic, RecordKey.TokenId.of(token), value(token, payload), context));
    }

    private byte[] value(ScoredToken token, Payload payload) {
        try {
            out.reset();
            encoder.writeFixed(header);
            encoder.writeFixed(payload.fields());
            List<Column> columns = schema.fields().outputs().columns();
            for (int i = 0; i < columns.size(); i++) {
                write(columns.get(i), AnswerOutputs.of(token, columns.get(i), i));
            }
            encoder.writeString(token.modelVersion());
            if (schema.fields().choices().areWanted()) {
                writeChoices(token);
            }
            encoder.flush();
            byte[] answer = out.toByteArray();
            return resolution == null ? answer : resolution.resolve(answer, header);
        } catch (IOException e) {
            throw new UncheckedIOException(e); // Not into memory.
        }
    }

    private void write(Column column, Object value) throws IOException {
        if (value == null) {
            encoder.writeIndex(NULL);
            return;
        }
        encoder.writeIndex(VALUE);
        if (column.width() == null) {
            element(value);
            return;
        }
        int length = Array.getLength(value);
        encoder.writeArrayStart();
        encoder.setItemCount(length);
        for (int i = 0; i < length; i++) {
            encoder.startItem();
            if (value instanceof float[] floats) {
                encoder.writeFloat(floats[i]);
            } else {
                element(Array.get(value, i));
            }
        }
        encoder.writeArrayEnd();
    }

    private void element(Object value) throws IOException {
        if (value instanceof Float number) {
            encoder.writeFloat(number);
        } else if (value instanceof Double number) {
            encoder.writeDouble(number);
        } else if (value instanceof Integer number) {
            encoder.writeInt(number);
        } else if (value instanceof Long number) {
            encoder.writeLong(number);
        } else if (value instanceof Boolean flag) {
            encoder.writeBoolean(flag);
        } else {
            encoder.writeString((String) value);
        }
    }

    private void writeChoices(ScoredToken token) throws IOException {
        Choices choices = schema.fields().choices();
        encoder.writeArrayStart();
        encoder.setItemCount(choices.count(token.layers()));
        choices.forEach(
                token.layers(),
                (layer, gate, expert, weight, outcome) -> {
                    encoder.startItem();
                    encoder.writeInt(layer);
                    writeNullable(gate);
                    writeNullable(expert);
                    encoder.writeFloat(weight);
                    encoder.writeString(outcome);
                });
        encoder.writeArrayEnd();
    }

    private void writeNullable(String text) throws IOException {
        encoder.writeIndex(text == null ? NULL : VALUE);
        if (text != null) {
            encoder.writeString(text);
        }
    }
}
