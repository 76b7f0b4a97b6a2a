// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.LayerNames;
import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.column.TypedValuesBuilder;
import io.flinkmoe.kafka.RecordKey;
import io.flinkmoe.kafka.TimestampRules;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.flink.util.InstantiationUtil;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is kept of an Avro record comes back in the answer, with its types. */
class AvroAnswersTest {

    private static final Schema SCHEMA =
            parse(
                    """
                    {"type": "record", "name": "Payment", "namespace": "pay", "fields": [
                      {"name": "x", "type": "float"},
                      {"name": "id", "type": {"type": "fixed", "name": "Id", "size": 2}, "doc": "An id."},
                      {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
                      {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal",
                                                  "precision": 9, "scale": 2}},
                      {"name": "any", "type": ["string", "int", "null"], "default": "none"},
                      {"name": "shop", "type": {"type": "record", "name": "Shop", "fields": [
                        {"name": "country", "type": {"type": "enum", "name": "Country",
                                                     "symbols": ["DE", "FR"], "default": "FR"}},
                        {"name": "tags", "type": {"type": "map", "values": "long"}}]}},
                      {"name": "maybe", "type": ["null", "Shop"], "default": null},
                      {"name": "others", "type": {"type": "array", "items": "Shop"}},
                      {"name": "before", "type": ["Payment", "null"]}]}""");

    private static final InputLayout INPUTS =
            new InputLayout(List.of(new InputSpec("x", ColumnType.FLOAT, null)), List.of());

    private static final ColumnLayout OUTPUTS =
            new ColumnLayout(
                    List.of(
                            new Column("score", ColumnType.FLOAT, null),
                            new Column("parts", ColumnType.DOUBLE, 2),
                            new Column("label", ColumnType.STRING, null),
                            new Column("count", ColumnType.INT64, null),
                            new Column("class", ColumnType.INT32, null),
                            new Column("known", ColumnType.BOOL, null)));

    private static final AnswerFields FIELDS = AnswerFields.of(OUTPUTS);

    @Test
    void allFieldsComeBackWithTheirTypesAlsoFromAnotherWriter() throws Exception {
        AnswerFields all = FIELDS.keepAll();
        Schema writer = with(SCHEMA, "{\"name\": \"gone\", \"type\": \"int\"}");
        for (Schema written : List.of(SCHEMA, writer)) {
            GenericRecord payment = payment(written);
            AnswerSchema schema = AnswerSchema.of(all, SCHEMA);

            GenericRecord answer = answer(schema, arrival(all, written, payment), null, outputs());

            assertThat(schema.schema().getFullName()).isEqualTo("pay.PaymentAnswer");
            for (Schema.Field field : SCHEMA.getFields()) {
                Schema.Field kept = schema.schema().getField(field.name());
                assertThat(kept.schema()).isEqualTo(field.schema());
                assertThat(kept.doc()).isEqualTo(field.doc());
                assertThat(String.valueOf(answer.get(field.name())))
                        .as(field.name())
                        .isEqualTo(String.valueOf(payment.get(field.name())));
            }
            assertThat(schema.schema().getField("any").defaultVal()).isEqualTo("none");
            assertThat(schema.schema().getField("amount").schema().getLogicalType())
                    .isEqualTo(LogicalTypes.decimal(9, 2));
            assertThat(answer.get("score")).isEqualTo(0.1f);
            assertThat(answer.get("parts")).isEqualTo(List.of(0.25, 1e-7));
            assertThat(answer.get("label")).hasToString("é");
            assertThat(answer.get("count")).isEqualTo(Long.MAX_VALUE);
            assertThat(answer.get("class")).isEqualTo(-3);
            assertThat(answer.get("known")).isEqualTo(true);
            assertThat(answer.get("model_version")).hasToString("v1");
        }
    }

    @Test
    void nestedFieldsAreFlatAndNullIfTheRecordAroundThemIs() throws Exception {
        AnswerFields some = FIELDS.keep("maybe.country", "shop.tags", "others", "before.amount");
        AnswerSchema schema = AnswerSchema.of(some, SCHEMA);
        GenericRecord payment = payment(SCHEMA);

        GenericRecord without = answer(schema, arrival(some, SCHEMA, payment), null, null);
        payment.put("maybe", payment.get("shop"));
        payment.put("before", payment(SCHEMA));
        GenericRecord with = answer(schema, arrival(some, SCHEMA, payment), null, null);

        assertThat(schema.schema().getFields().stream().map(Schema.Field::name))
                .startsWith("country", "tags", "others", "amount", "score")
                .doesNotContain("x", "choices");
        assertThat(schema.schema().getField("country").schema().getTypes())
                .extracting(Schema::getFullName)
                .containsExactly("null", "pay.Country");
        assertThat(without.get("country")).isNull();
        assertThat(without.get("amount")).isNull();
        assertThat(without.get("score")).isNull();
        assertThat(without.get("parts")).isNull();
        assertThat(with.get("country")).hasToString("DE");
        assertThat(with.get("amount")).isEqualTo(payment.get("amount"));
        assertThat(with.get("tags")).hasToString("{risk=5}");
        assertThat(with.get("others")).hasToString(payment.get("others").toString());
    }

    @Test
    void anEntryOfAMapMayBeMissing() throws Exception {
        AnswerFields some = FIELDS.keep("shop.tags.risk", "any");
        AnswerSchema schema = AnswerSchema.of(some, SCHEMA);
        GenericRecord payment = payment(SCHEMA);

        assertThat(answer(schema, arrival(some, SCHEMA, payment), null, null).get("risk"))
                .isEqualTo(5L);
        ((GenericRecord) payment.get("shop")).put("tags", Map.of());
        assertThat(answer(schema, arrival(some, SCHEMA, payment), null, null).get("risk")).isNull();
    }

    @Test
    void aSymbolThatTheReaderDoesNotKnowIsItsDefaultElseTheRecordIsADeadLetter() throws Exception {
        Schema writer =
                replace(
                        SCHEMA,
                        "\"symbols\":[\"DE\",\"FR\"],\"default\":\"FR\"",
                        "\"symbols\":[\"DE\",\"IT\"]");
        AnswerFields some = FIELDS.keep("shop.country");
        GenericRecord payment = payment(writer);
        GenericRecord shop = (GenericRecord) payment.get("shop");
        shop.put(
                "country",
                new GenericData.EnumSymbol(shop.getSchema().getField("country").schema(), "IT"));

        Arrival arrival = arrival(some, writer, SCHEMA, encode(payment));
        assertThat(answer(AnswerSchema.of(some, SCHEMA), arrival, null, null).get("country"))
                .hasToString("FR");

        Schema strict = replace(SCHEMA, ",\"default\":\"FR\"", "");
        Arrival letter = arrival(some, writer, strict, encode(payment));
        assertThat(letter.deadLetter().rejection().kind()).isEqualTo(Kind.MALFORMED);
        assertThat(letter.deadLetter().reason()).contains("IT");
    }

    @Test
    void aliasesAndDefaultsOfTheReaderFillWhatIsKept() throws Exception {
        Schema writer =
                parse(
                        "{\"type\": \"record\", \"name\": \"P\", \"fields\": ["
                                + "{\"name\": \"x\", \"type\": \"float\"}, {\"name\": \"old\", \"type\": \"int\"}]}");
        Schema reader =
                parse(
                        "{\"type\": \"record\", \"name\": \"P\", \"fields\": ["
                                + "{\"name\": \"x\", \"type\": \"float\"},"
                                + "{\"name\": \"new\", \"type\": \"long\", \"aliases\": [\"old\"]},"
                                + "{\"name\": \"n\", \"type\": \"string\", \"default\": \"d\"},"
                                + "{\"name\": \"o\", \"type\": [\"string\", \"null\"]}]}");
        GenericRecord record = new GenericData.Record(writer);
        record.put("x", 1f);
        record.put("old", 7);
        AnswerFields all = FIELDS.keepAll();

        GenericRecord answer =
                answer(
                        AnswerSchema.of(all, reader),
                        arrival(all, writer, reader, encode(record)),
                        null,
                        null);

        assertThat(answer.get("new")).isEqualTo(7L);
        assertThat(answer.get("n")).hasToString("d");
        assertThat(answer.get("o")).isNull();
    }

    @Test
    void choicesAreAnArrayOfRecords() throws Exception {
        AnswerFields choices =
                FIELDS.choices(
                        List.of(new LayerNames(List.of("risk", "value"), List.of("a", "b", "c"))));
        Decision[] layers = {
            new Decision(
                    new int[] {2, -1},
                    new float[] {0.75f, 0, 0.5f, 0},
                    new Outcome[] {Outcome.EXECUTED, Outcome.FAILED})
        };
        Arrival arrival = arrival(choices, SCHEMA, payment(SCHEMA));

        GenericRecord answer =
                decode(
                        AnswerSchema.of(choices, SCHEMA).schema(),
                        serialize(
                                AvroAnswerSerializer.plain(
                                        "out", AnswerSchema.of(choices, SCHEMA), RecordKey.STREAM),
                                JsonAnswersTest.scored(arrival, null, null, layers)),
                        0);

        assertThat(answer.get("choices"))
                .hasToString(
                        "[{\"layer\": 0, \"gate\": \"risk\", \"expert\": \"c\", \"weight\": 0.75, \"outcome\": \"EXECUTED\"},"
                                + " {\"layer\": 0, \"gate\": \"value\", \"expert\": \"c\", \"weight\": 0.5, \"outcome\": \"EXECUTED\"},"
                                + " {\"layer\": 0, \"gate\": null, \"expert\": null, \"weight\": 0.0, \"outcome\": \"FAILED\"}]");
    }

    @Test
    void aVectorAndTheHeaderOfARegistry() throws Exception {
        AnswerFields vector =
                AnswerFields.of(new ColumnLayout(List.of(new Column("y", ColumnType.FLOAT, 2))))
                        .keep("id")
                        .keepHeaders("trace");
        AnswerSchema schema = AnswerSchema.of(vector, SCHEMA);
        byte[] value = encode(payment(SCHEMA));
        Arrival arrival =
                RecordDeserializerTest.read(
                        deserializer(vector, SCHEMA, SCHEMA),
                        value,
                        new RecordHeaders().add("trace", new byte[] {1}));

        AvroAnswerSerializer serializer =
                InstantiationUtil.clone(
                        AvroAnswerSerializer.registry("out", schema, 258, RecordKey.STREAM));
        serializer.open(null, null);
        var record =
                serializer.serialize(
                        JsonAnswersTest.scored(
                                arrival, new float[] {1, 0.5f}, null, new Decision[0]),
                        null,
                        null);

        assertThat(Arrays.copyOf(record.value(), 5)).containsExactly(0, 0, 0, 1, 2);
        assertThat(decode(schema.schema(), record.value(), 5).get("y")).hasToString("[1.0, 0.5]");
        assertThat(record.headers().lastHeader("trace").value()).containsExactly(1);
    }

    @Test
    void anotherSchemaTakesWhatItHasOfTheAnswer() throws Exception {
        AnswerFields some = FIELDS.keep("any", "shop");
        AnswerSchema generated = AnswerSchema.of(some, SCHEMA);
        Schema other =
                parse(
                        """
                        {"type": "record", "name": "Risk", "namespace": "other", "fields": [
                          {"name": "more", "type": "int", "default": 4},
                          {"name": "score", "type": ["null", "double"]},
                          {"name": "value", "aliases": ["any"], "type": ["null", "string", "long"]}]}""");
        AnswerSchema given = generated.writtenWith(other);
        Arrival arrival = arrival(some, SCHEMA, payment(SCHEMA));

        GenericRecord answer =
                decode(
                        other,
                        serialize(
                                AvroAnswerSerializer.registry("out", given, 7, RecordKey.STREAM),
                                JsonAnswersTest.scored(arrival, null, outputs(), new Decision[0])),
                        5);

        assertThat(given.schema()).isEqualTo(other);
        assertThat(answer.get("more")).isEqualTo(4);
        assertThat(answer.get("score")).isEqualTo((double) 0.1f);
        assertThat(answer.get("value")).isEqualTo(3L);
        assertThat(generated.writtenWith(generated.schema()).generated())
                .isEqualTo(generated.schema());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'name': 'm', 'type': 'int'} | READER_FIELD_MISSING_DEFAULT_VALUE",
                "{'name': 'score', 'type': ['null', 'string']} | MISSING_UNION_BRANCH",
                "{'name': 'model_version', 'type': 'int'} | TYPE_MISMATCH",
            })
    void refusesASchemaThatCannotReadTheAnswer(String field, String reason) {
        Schema other =
                parse(
                        "{\"type\": \"record\", \"name\": \"O\", \"fields\": [%s]}"
                                .formatted(field.replace('\'', '"')));

        assertThatThrownBy(() -> AnswerSchema.of(FIELDS, SCHEMA).writtenWith(other))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("answers cannot be written with the schema O: " + reason);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "at | score | the kept field score has the name of another field of the answer",
                "Id | PaymentAnswer | a kept field has the type pay.PaymentAnswer",
                "Country | PaymentAnswerChoice | a kept field has the type pay.PaymentAnswerChoice",
            })
    void refusesNamesThatClash(String name, String other, String message) {
        Schema clashing = parse(SCHEMA.toString().replace('"' + name + '"', '"' + other + '"'));
        AnswerFields all = FIELDS.keepAll().choices(List.of());

        assertThatThrownBy(() -> AnswerSchema.of(all, clashing))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(message);
    }

    @Test
    void refusesWhatCannotBeKeptAndWhatIsNoNameInAvro() {
        assertThatThrownBy(() -> deserializer(FIELDS.keep("shop.city"), SCHEMA, SCHEMA))
                .hasMessage(
                        "shop.city is not in the schema; pay.Shop has the fields country, tags");
        assertThatThrownBy(() -> deserializer(FIELDS.keep("shop.tags.a-b"), SCHEMA, SCHEMA))
                .hasMessageStartingWith("shop.tags.a-b cannot be kept: a-b is no name of a field");
        AnswerFields dotted =
                AnswerFields.of(
                        new ColumnLayout(List.of(new Column("out.0", ColumnType.FLOAT, null))));
        assertThatThrownBy(() -> AnswerSchema.of(dotted, SCHEMA))
                .hasMessageStartingWith("the output out.0 of the model is no name of a field");
    }

    @Test
    void refusesWhatWasKeptWithAnotherSchema() throws Exception {
        AnswerFields id = FIELDS.keep("id");
        Arrival arrival = arrival(id, SCHEMA, payment(SCHEMA));
        AnswerSchema other = AnswerSchema.of(FIELDS.keep("at"), SCHEMA);

        assertThatThrownBy(() -> answer(other, arrival, null, null))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("were kept before the job was restored with another format");
    }

    @Test
    void refusesTokensWithoutTheKeptFields() throws Exception {
        Arrival arrival = arrival(FIELDS, SCHEMA, payment(SCHEMA));

        assertThat(arrival.token().payload()).isNull();
        assertThat(answer(AnswerSchema.of(FIELDS, SCHEMA), arrival, null, null).get("score"))
                .isNull();
        assertThatThrownBy(
                        () ->
                                answer(
                                        AnswerSchema.of(FIELDS.keep("id"), SCHEMA),
                                        arrival,
                                        null,
                                        null))
                .hasMessageContaining("give the deserializer the fields of the answers");
    }

    private static TypedValues outputs() {
        return new TypedValuesBuilder(
                        new InputLayout(
                                OUTPUTS.columns().stream()
                                        .map(c -> new InputSpec(c.name(), c.type(), c.width()))
                                        .toList(),
                                List.of()))
                .set("score", 0.1f)
                .set("parts", new double[] {0.25, 1e-7})
                .set("label", "é")
                .set("count", Long.MAX_VALUE)
                .set("class", -3)
                .set("known", true)
                .build();
    }

    private static GenericRecord payment(Schema schema) {
        Schema shopType = schema.getField("shop").schema();
        GenericRecord shop = new GenericData.Record(shopType);
        shop.put(
                "country", new GenericData.EnumSymbol(shopType.getField("country").schema(), "DE"));
        shop.put("tags", Map.of("risk", 5L));
        GenericRecord payment = new GenericData.Record(schema);
        payment.put("x", 1f);
        payment.put("id", new GenericData.Fixed(schema.getField("id").schema(), new byte[] {1, 2}));
        payment.put("at", 1_234_567L);
        payment.put("amount", ByteBuffer.wrap(new byte[] {4, -46}));
        payment.put("any", 3);
        payment.put("shop", shop);
        payment.put("others", List.of(shop, shop));
        if (schema.getField("gone") != null) {
            payment.put("gone", 1);
        }
        return payment;
    }

    /** The schema with one more field, the first one. */
    private static Schema with(Schema schema, String field) {
        return replace(
                schema,
                "\"fields\":[{\"name\":\"x\"",
                "\"fields\":[%s,{\"name\":\"x\"".formatted(field));
    }

    private static Schema replace(Schema schema, String text, String other) {
        assertThat(schema.toString()).contains(text);
        return parse(schema.toString().replace(text, other));
    }

    private static Schema parse(String json) {
        return new Schema.Parser().parse(json);
    }

    private static Arrival arrival(AnswerFields fields, Schema writer, GenericRecord record)
            throws Exception {
        Arrival arrival = arrival(fields, writer, SCHEMA, encode(record));
        assertThat(arrival.deadLetter()).isNull();
        return arrival;
    }

    private static Arrival arrival(
            AnswerFields fields, Schema writer, Schema reader, byte[] message) throws Exception {
        return RecordDeserializerTest.read(
                deserializer(fields, writer, reader), message, new RecordHeaders());
    }

    private static RecordDeserializer deserializer(
            AnswerFields fields, Schema writer, Schema reader) {
        return RecordDeserializer.of(
                        INPUTS, RecordBinding.ofStream("key"), RecordEncoding.avro(writer, reader))
                .answers(fields)
                .timestamps(TimestampRules.NONE);
    }

    private static GenericRecord answer(
            AnswerSchema schema, Arrival arrival, float[] values, TypedValues outputs)
            throws Exception {
        return decode(
                schema.schema(),
                serialize(
                        AvroAnswerSerializer.plain("out", schema, RecordKey.STREAM),
                        JsonAnswersTest.scored(arrival, values, outputs, new Decision[0])),
                0);
    }

    /** Sends the serializer to a task first, and writes twice. */
    private static byte[] serialize(AvroAnswerSerializer serializer, ScoredToken token)
            throws Exception {
        AvroAnswerSerializer copy = InstantiationUtil.clone(serializer);
        copy.open(null, null);
        byte[] first = copy.serialize(token, null, null).value();
        assertThat(copy.serialize(token, null, null).value()).isEqualTo(first);
        return first;
    }

    private static GenericRecord decode(Schema schema, byte[] message, int from) throws Exception {
        BinaryDecoder decoder =
                DecoderFactory.get().binaryDecoder(message, from, message.length - from, null);
        GenericRecord record = new GenericDatumReader<GenericRecord>(schema).read(null, decoder);
        assertThat(decoder.isEnd()).isTrue();
        return record;
    }

    private static byte[] encode(GenericRecord record) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        new GenericDatumWriter<GenericRecord>(record.getSchema()).write(record, encoder);
        encoder.flush();
        return out.toByteArray();
    }
}
