// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.api.Token;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.kafka.TimestampRules;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AvroRecordsTest {

    private static final Schema SCHEMA =
            new Schema.Parser()
                    .parse(
                            """
                            {"type": "record", "name": "Payment", "fields": [
                              {"name": "card", "type": "string"},
                              {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
                              {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal",
                                                          "precision": 9, "scale": 2}},
                              {"name": "geo", "type": ["null", {"type": "record", "name": "Geo", "fields": [
                                {"name": "distance", "type": "double"},
                                {"name": "country", "type": {"type": "enum", "name": "Country",
                                                             "symbols": ["DE", "FR"]}}]}]},
                              {"name": "past", "type": {"type": "array", "items": "float"}},
                              {"name": "day", "type": [{"type": "int", "logicalType": "date"}, "null"]},
                              {"name": "tags", "type": {"type": "map", "values": "long"}},
                              {"name": "note", "type": ["string", "null"]}]}""");

    private static final InputLayout INPUTS =
            new InputLayout(
                    List.of(
                            new InputSpec("numeric", ColumnType.FLOAT, 2, null, "-1"),
                            new InputSpec("past", ColumnType.FLOAT, 3),
                            new InputSpec("country", ColumnType.STRING, null, null, "??"),
                            new InputSpec("day", ColumnType.INT64, null, null, "0"),
                            new InputSpec("risk", ColumnType.INT32, null, null, "9"),
                            new InputSpec("note", ColumnType.STRING, null, null, "none")),
                    List.of());

    private static final RecordBinding BINDING =
            RecordBinding.ofStream("card")
                    .timestamp("at")
                    .feature("numeric", "amount", "geo.distance")
                    .feature("country", "geo.country")
                    .feature("risk", "tags.risk");

    @Test
    void readsNestedFieldsLogicalTypesEnumsArraysMapsAndUnions() throws Exception {
        Token token = token(SCHEMA, SCHEMA, payment());

        assertThat(token.stream()).isEqualTo("c1");
        assertThat(token.timestamp()).as("of microseconds").isEqualTo(1_234);
        assertThat(token.inputs().get(0)).isEqualTo(new float[] {12.34f, 2.5f});
        assertThat(token.inputs().get(1)).isEqualTo(new float[] {1, 2, 3});
        assertThat(token.inputs().get(2)).isEqualTo("FR");
        assertThat(token.inputs().get(3)).isEqualTo(20_000L);
        assertThat(token.inputs().get(4)).isEqualTo(5);
        assertThat(token.inputs().get(5)).isEqualTo("n");
    }

    @Test
    void whatIsNullOnTheWayIsMissing() throws Exception {
        GenericRecord payment = payment();
        payment.put("geo", null);
        payment.put("day", null);
        payment.put("tags", Map.of());

        Token token = token(SCHEMA, SCHEMA, payment);

        assertThat(token.inputs().get(0)).isEqualTo(new float[] {12.34f, -1});
        assertThat(token.inputs().get(2)).isEqualTo("??");
        assertThat(token.inputs().get(3)).isEqualTo(0L);
        assertThat(token.inputs().get(4)).isEqualTo(9);
    }

    @Test
    void aFieldThatTheReaderLacksIsDroppedAndOneThatTheWriterLacksHasItsDefaultOrNull()
            throws Exception {
        Schema writer = without(SCHEMA, "note", "day", "tags");
        Schema reader = withDefault(SCHEMA, "tags", "{\"risk\": 8}");
        GenericRecord payment = new GenericData.Record(writer);
        writer.getFields().forEach(f -> payment.put(f.name(), payment().get(f.name())));

        Token token = token(writer, reader, payment);

        assertThat(token.inputs().get(3)).as("null").isEqualTo(0L);
        assertThat(token.inputs().get(4)).as("its default").isEqualTo(8);
        assertThat(token.inputs().get(5)).as("null").isEqualTo("none");
    }

    @Test
    void aFieldWithoutDefaultThatTheWriterLacksMakesADeadLetter() throws Exception {
        Schema writer = without(SCHEMA, "past");
        GenericRecord payment = new GenericData.Record(writer);
        writer.getFields().forEach(f -> payment.put(f.name(), payment().get(f.name())));

        Arrival arrival = arrival(writer, SCHEMA, encode(payment));

        assertThat(arrival.deadLetter().rejection().kind()).isEqualTo(Kind.MALFORMED);
        assertThat(arrival.deadLetter().rejection().reason()).contains("past");
    }

    @Test
    void damagedBytesAreDeadLetters() throws Exception {
        byte[] good = encode(payment());
        Random random = new Random(5);
        for (int i = 0; i < 2_000; i++) {
            byte[] bad = Arrays.copyOf(good, random.nextInt(good.length + 3));
            for (int flips = random.nextInt(3); flips >= 0 && bad.length > 0; flips--) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            }
            Arrival arrival = arrival(SCHEMA, SCHEMA, bad);
            assertThat(arrival.token() == null).isNotEqualTo(arrival.deadLetter() == null);
        }
        assertThat(
                        arrival(SCHEMA, SCHEMA, Arrays.copyOf(good, good.length + 1))
                                .deadLetter()
                                .rejection()
                                .reason())
                .isEqualTo(
                        "the value is no record of the schema Payment: bytes are left after the record");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "amounts | day | amounts is not in the schema; Payment has the fields card, at,",
                "geo.city | day | geo.city is not in the schema; Geo has the fields distance, country",
                "card | card.x | card.x is not in the schema: card is of the type string, no record",
                "card | geo | geo is a union of null, Geo; allowed: a number, a text",
                "card | past | past is an array; the input risk takes a single value there",
                "card | note | note is of the type string; the input risk takes int32",
                "cart | day | cart is not in the schema",
                "amount | day | amount is of the type ",
            })
    void refusesPathsThatTheSchemaDoesNotHave(String stream, String risk, String message) {
        RecordBinding binding =
                RecordBinding.ofStream(stream)
                        .feature("numeric", "amount", "geo.distance")
                        .feature("country", "geo.country")
                        .feature("risk", risk);

        assertThatThrownBy(
                        () -> RecordDeserializer.of(INPUTS, binding, RecordEncoding.avro(SCHEMA)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(message);
    }

    @Test
    void aFieldThatTheSchemaLacksIsMissingIfItMayBe() throws Exception {
        RecordBinding binding =
                BINDING.feature("numeric", "amount", "geo.depth").feature("risk", "risks.all");
        RecordDeserializer deserializer =
                RecordDeserializer.of(INPUTS, binding, RecordEncoding.avro(SCHEMA))
                        .timestamps(TimestampRules.NONE);

        assertThat(deserializer.absentFields())
                .containsExactly(
                        new AbsentField("geo.depth", "numeric"),
                        new AbsentField("risks.all", "risk"));
        Token token =
                RecordDeserializerTest.read(deserializer, encode(payment()), new RecordHeaders())
                        .token();
        assertThat(token.inputs().get(0)).isEqualTo(new float[] {12.34f, -1});
        assertThat(token.inputs().get(4)).isEqualTo(9);

        Schema without = without(SCHEMA, "past");
        assertThatThrownBy(
                        () -> RecordDeserializer.of(INPUTS, binding, RecordEncoding.avro(without)))
                .hasMessageStartingWith("past is not in the schema; Payment has the fields card");
        InputLayout one =
                new InputLayout(List.of(new InputSpec("c", ColumnType.STRING, null)), List.of());
        RecordBinding or = RecordBinding.ofStream("card").featureOr("c", "none", "c");
        assertThat(RecordDeserializer.of(one, or, RecordEncoding.avro(SCHEMA)).absentFields())
                .containsExactly(new AbsentField("c", "c"));
        assertThat(
                        RecordDeserializer.of(INPUTS, BINDING, RecordEncoding.avro(SCHEMA))
                                .absentFields())
                .isEmpty();
    }

    /** Also where a schema asks for Java's strings, which would replace the bytes. */
    @Test
    void aTextThatIsNoUtf8IsADeadLetter() throws Exception {
        String javas = "{\"type\":\"string\",\"avro.java.string\":\"String\"}";
        for (String type : List.of("\"string\"", javas)) {
            Schema schema =
                    new Schema.Parser()
                            .parse(
                                    """
                                    {"type": "record", "name": "R", "fields": [
                                      {"name": "card", "type": %s}, {"name": "note", "type": %s}]}"""
                                            .formatted(type, type));
            InputLayout inputs =
                    new InputLayout(
                            List.of(new InputSpec("note", ColumnType.STRING, null)), List.of());
            RecordDeserializer deserializer =
                    RecordDeserializer.of(
                                    inputs,
                                    RecordBinding.ofStream("card"),
                                    RecordEncoding.avro(schema))
                            .timestamps(TimestampRules.NONE);
            byte[][] records = {
                {4, 'c', -1, 2, 'n'}, {2, 'c', 4, 'n', -1}, {6, -17, -65, -67, 2, 'n'},
            };
            Arrival[] arrivals = new Arrival[records.length];
            for (int i = 0; i < records.length; i++) {
                arrivals[i] =
                        RecordDeserializerTest.read(deserializer, records[i], new RecordHeaders());
            }
            assertThat(arrivals[0].deadLetter().reason()).isEqualTo("card is no UTF-8");
            assertThat(arrivals[0].deadLetter().rejection().kind()).isEqualTo(Kind.STREAM);
            assertThat(arrivals[1].deadLetter().reason()).isEqualTo("note is no UTF-8");
            assertThat(arrivals[1].deadLetter().rejection().kind()).isEqualTo(Kind.INPUT);
            assertThat(arrivals[2].token().stream()).isEqualTo("\ufffd");
        }
    }

    @Test
    void refusesAnotherUnitThanTheSchemas() {
        RecordBinding seconds =
                RecordBinding.ofStream("card")
                        .feature("numeric", "amount", "geo.distance")
                        .feature("country", "geo.country")
                        .feature("risk", "tags.risk")
                        .timestamp("at", TimeUnit.SECONDS)
                        .position("note");

        assertThatThrownBy(
                        () -> RecordDeserializer.of(INPUTS, seconds, RecordEncoding.avro(SCHEMA)))
                .hasMessage(
                        "the unit of at is seconds, but its schema says micros; leave the unit out;"
                                + " note is of the type string; allowed: an int or a long");
    }

    private static GenericRecord payment() {
        GenericRecord geo =
                new GenericData.Record(SCHEMA.getField("geo").schema().getTypes().get(1));
        geo.put("distance", 2.5);
        geo.put(
                "country",
                new GenericData.EnumSymbol(geo.getSchema().getField("country").schema(), "FR"));
        GenericRecord payment = new GenericData.Record(SCHEMA);
        payment.put("card", "c1");
        payment.put("at", 1_234_567L);
        payment.put(
                "amount", ByteBuffer.wrap(new BigDecimal("12.34").unscaledValue().toByteArray()));
        payment.put("geo", geo);
        payment.put("past", List.of(1f, 2f, 3f));
        payment.put("day", 20_000);
        payment.put("tags", Map.of("other", 1L, "risk", 5L));
        payment.put("note", "n");
        return payment;
    }

    private static Schema without(Schema schema, String... names) {
        Schema copy = Schema.createRecord(schema.getName(), null, null, false);
        copy.setFields(
                schema.getFields().stream()
                        .filter(field -> !List.of(names).contains(field.name()))
                        .map(field -> new Schema.Field(field, field.schema()))
                        .toList());
        return copy;
    }

    private static Schema withDefault(Schema schema, String name, String value) {
        return new Schema.Parser()
                .parse(
                        schema.toString()
                                .replace(
                                        "{\"name\":\"%s\",".formatted(name),
                                        "{\"name\":\"%s\",\"default\":%s,".formatted(name, value)));
    }

    private static Token token(Schema writer, Schema reader, GenericRecord record)
            throws Exception {
        Arrival arrival = arrival(writer, reader, encode(record));
        assertThat(arrival.deadLetter()).isNull();
        return arrival.token();
    }

    /** With another writer's schema, as from a registry. */
    private static Arrival arrival(Schema writer, Schema reader, byte[] message) throws Exception {
        return RecordDeserializerTest.read(
                RecordDeserializer.of(INPUTS, BINDING, RecordEncoding.avro(writer, reader))
                        .timestamps(TimestampRules.NONE),
                message,
                new RecordHeaders());
    }

    private static byte[] encode(GenericRecord record) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        new GenericDatumWriter<GenericRecord>(record.getSchema()).write(record, encoder);
        encoder.flush();
        return out.toByteArray();
    }
}
