// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Origin;
import io.flinkmoe.api.RawRecord;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.schemas.TokenEncoder;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.flink.api.common.functions.util.ListCollector;
import org.apache.flink.util.InstantiationUtil;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenDeserializerTest {

    private static final long WRITTEN = 1_000_000_000_000L;
    private static final long HOUR = 3_600_000;

    private static final Headers TRACE =
            new RecordHeaders().add("trace", new byte[] {1}).add("trace", null);

    /** An hour after the records were written. */
    private static final Clock CLOCK =
            Clock.fixed(Instant.ofEpochMilli(WRITTEN + HOUR), ZoneOffset.UTC);

    private TimestampType timestampType = TimestampType.CREATE_TIME;

    private final TokenDeserializer.Builder builder =
            TokenDeserializer.builder(InputLayout.vector(2)).clock(CLOCK);

    @Test
    void givesTokens() throws Exception {
        Arrival arrival = deserialize(token(5, 1f, 2f), WRITTEN);

        assertThat(arrival.deadLetter()).isNull();
        assertThat(arrival.token().stream()).isEqualTo("s");
        assertThat(arrival.token().position()).isEqualTo(7);
        assertThat(arrival.token().timestamp()).isEqualTo(5);
        assertThat(arrival.token().values()).containsExactly(1f, 2f);
        assertThat(arrival.origin()).isEqualTo(new Origin("in", 3, 42));
    }

    @Test
    void givesDeadLettersWithOriginAndReason() throws Exception {
        byte[] raw = {0x7B, 0x22};

        DeadLetter letter = deserialize(raw, WRITTEN).deadLetter();

        assertThat(letter.record().value()).isEqualTo(raw);
        assertThat(letter.origin()).isEqualTo(new Origin("in", 3, 42));
        assertThat(letter.reason()).isEqualTo("not Avro single-object encoding: starts with 7B 22");
    }

    @Test
    void refusesTokensThatTheModelCannotTake() throws Exception {
        assertThat(reason(deserialize(token(5, 1f), WRITTEN)))
                .hasValue("values has 1 entries; the model takes 2");
        assertThat(reason(deserialize(token(5, 1f, Float.NaN), WRITTEN)))
                .hasValue("values[1] is NaN; only finite values are allowed");
    }

    /** Without them nobody knows what was to be deleted, by whom, and when. */
    @ParameterizedTest
    @EnumSource
    void tombstonesKeepKeyHeadersAndTimestamp(RecordFormat format) throws Exception {
        builder.format(format);
        DeadLetter letter = deserialize(new byte[] {5}, null, WRITTEN, TRACE).deadLetter();

        assertThat(letter.rejection())
                .isEqualTo(
                        new Rejection(
                                Rejection.Kind.NO_VALUE, "the record has no value (a tombstone)"));
        assertThat(letter.record())
                .isEqualTo(
                        new RawRecord(
                                new byte[] {5},
                                null,
                                List.of(
                                        new RawRecord.Header("trace", new byte[] {1}),
                                        new RawRecord.Header("trace", null)),
                                WRITTEN));
    }

    @ParameterizedTest
    @EnumSource
    void anEmptyValueIsNoTombstone(RecordFormat format) throws Exception {
        builder.format(format);
        DeadLetter letter = deserialize(null, new byte[0], WRITTEN, TRACE).deadLetter();

        assertThat(letter.rejection())
                .isEqualTo(
                        new Rejection(
                                Rejection.Kind.EMPTY_VALUE,
                                "the record's value is empty (0 bytes)"));
        assertThat(letter.record().value()).isEmpty();
        assertThat(letter.record().key()).isNull();
    }

    @ParameterizedTest
    @EnumSource
    void namesConfluentsWireFormat(RecordFormat format) throws Exception {
        builder.format(format);
        byte[] raw = TokenEncoder.raw().encode("s", 7, 5, new float[] {1f, 2f});
        byte[] framed = ByteBuffer.allocate(raw.length + 5).put(4, (byte) 7).put(5, raw).array();

        Rejection rejection = deserialize(framed, WRITTEN).deadLetter().rejection();

        assertThat(rejection.kind()).isEqualTo(Rejection.Kind.CONFLUENT);
        assertThat(rejection.reason())
                .endsWith(
                        "; looks like Confluent's wire format (schema id 7), which moe.format: avro-registry reads");
    }

    @Test
    void namesConfluentsWireFormatByItsHeader() throws Exception {
        byte[] raw = TokenEncoder.raw().encode("s", 7, 5, new float[] {1f, 2f});
        Headers headers = new RecordHeaders().add("__value_schema_id", new byte[17]);

        Rejection rejection = deserialize(null, raw, WRITTEN, headers).deadLetter().rejection();

        assertThat(rejection.kind()).isEqualTo(Rejection.Kind.CONFLUENT);
        assertThat(rejection.reason())
                .isEqualTo(
                        "not Avro single-object encoding: starts with 02 73; looks like Avro"
                                + " without a header, which moe.format: token-raw reads; its header"
                                + " __value_schema_id belongs to Confluent's wire format, which"
                                + " moe.format: avro-registry reads");
    }

    @ParameterizedTest
    @EnumSource
    void namesJson(RecordFormat format) throws Exception {
        builder.format(format);
        byte[] json = "{\"stream\": \"s\"}".getBytes(UTF_8);

        Rejection rejection = deserialize(json, WRITTEN).deadLetter().rejection();

        assertThat(rejection.kind()).isEqualTo(Rejection.Kind.JSON);
        assertThat(rejection.reason())
                .endsWith("; looks like JSON (an object), which moe.format: json reads");
    }

    @Test
    void tellsTheKindOfEveryReason() throws Exception {
        assertThat(kind("hello".getBytes(UTF_8))).isEqualTo(Rejection.Kind.MALFORMED);
        assertThat(kind(new byte[] {(byte) 0xC3, 1, 0, 0, 0, 0, 0, 0, 0, 0}))
                .isEqualTo(Rejection.Kind.UNKNOWN_SCHEMA);
        assertThat(kind(token(5, 1f))).isEqualTo(Rejection.Kind.WIDTH);
        assertThat(kind(token(5, 1f, Float.NaN))).isEqualTo(Rejection.Kind.NOT_FINITE);
        assertThat(kind(token(Long.MAX_VALUE, 1f, 2f))).isEqualTo(Rejection.Kind.TIMESTAMP);
        assertThat(kind(token(WRITTEN + 2 * HOUR, 1f, 2f))).isEqualTo(Rejection.Kind.AHEAD);
        assertThat(kind(TokenEncoder.singleObject().encode("s".repeat(1025), 7, 5, new float[2])))
                .isEqualTo(Rejection.Kind.STREAM);
    }

    private Rejection.Kind kind(byte[] value) throws Exception {
        return deserialize(value, WRITTEN).deadLetter().rejection().kind();
    }

    @Test
    void refusesTimestampsTooFarBeyondTheRecords() throws Exception {
        assertThat(reason(deserialize(token(WRITTEN + HOUR, 1f, 2f), WRITTEN))).isEmpty();
        assertThat(reason(deserialize(token(WRITTEN + HOUR + 1, 1f, 2f), WRITTEN)))
                .hasValue(
                        "timestamp 2001-09-09T02:46:40.001Z is more than max-ahead (PT1H)"
                                + " after the record's timestamp 2001-09-09T01:46:40Z");
    }

    /** The clock of the producer was wrong, so its record has the same wrong time. */
    @ParameterizedTest
    @ValueSource(longs = {WRITTEN + 2 * HOUR + 1, ConsumerRecord.NO_TIMESTAMP})
    void refusesTimestampsTooFarBeyondThisMachinesClock(long written) throws Exception {
        assertThat(reason(deserialize(token(WRITTEN + 2 * HOUR, 1f, 2f), written))).isEmpty();
        assertThat(reason(deserialize(token(WRITTEN + 2 * HOUR + 1, 1f, 2f), written)))
                .hasValue(
                        "timestamp 2001-09-09T03:46:40.001Z is more than max-ahead (PT1H)"
                                + " after this machine's clock 2001-09-09T02:46:40Z");
    }

    @Test
    void trustsTheClockOfABrokerThatSetsTheTimestamps() throws Exception {
        timestampType = TimestampType.LOG_APPEND_TIME;
        long future = WRITTEN + 100 * HOUR;

        assertThat(reason(deserialize(token(future, 1f, 2f), future))).isEmpty();
        assertThat(reason(deserialize(token(future, 1f, 2f), WRITTEN))).isPresent();
    }

    @Test
    void comparesWithTheRecordsOnlyIfItIgnoresTheClock() throws Exception {
        long future = WRITTEN + 100 * HOUR;
        assertThat(reason(deserialize(token(future, 1f, 2f), future))).isPresent();

        builder.ignoreClock();

        assertThat(reason(deserialize(token(future, 1f, 2f), future))).isEmpty();
        assertThat(reason(deserialize(token(future + 2 * HOUR, 1f, 2f), future))).isPresent();
        assertThat(reason(deserialize(token(1L << 61, 1f, 2f), ConsumerRecord.NO_TIMESTAMP)))
                .isEmpty();
    }

    @Test
    void acceptsAllTimestampsWithoutWindows() throws Exception {
        builder.acceptAllTimestamps();

        Arrival future = deserialize(token(WRITTEN + 1000 * HOUR, 1f, 2f), WRITTEN);
        Arrival zero = deserialize(token(0, 1f, 2f), WRITTEN);

        assertThat(reason(future)).isEmpty();
        assertThat(reason(zero)).isEmpty();
        assertThat(zero.isBehind()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"0, true", "1000000000, true", "684640000000, false", "684639999999, true"})
    void marksTokensThatAreTenYearsBehindTheirRecords(long timestamp, boolean isBehind)
            throws Exception {
        Arrival arrival = deserialize(token(timestamp, 1f, 2f), WRITTEN);

        assertThat(reason(arrival)).isEmpty();
        assertThat(arrival.isBehind()).isEqualTo(isBehind);
        assertThat(arrival.origin()).isEqualTo(new Origin("in", 3, 42));
    }

    @Test
    void comparesNothingWithARecordWithoutATime() throws Exception {
        Arrival arrival = deserialize(token(0, 1f, 2f), ConsumerRecord.NO_TIMESTAMP);

        assertThat(reason(arrival)).isEmpty();
        assertThat(arrival.isBehind()).isFalse();
    }

    @Test
    void isNotDeceivedByExtremeTimestamps() throws Exception {
        builder.maxAhead(Duration.ofMillis(Long.MAX_VALUE)).maxBehind(Duration.ofDays(1));

        assertThat(reason(deserialize(token(1L << 60, 1f, 2f), 0))).isEmpty();
        assertThat(deserialize(token(-(1L << 60), 1f, 2f), Long.MAX_VALUE).isBehind()).isTrue();
    }

    @Test
    void readsRawAvroOfTheShippedSchema() throws Exception {
        builder.format(RecordFormat.TOKEN_RAW);
        byte[] raw = TokenEncoder.raw().encode("s", 7, 5, new float[] {1f, 2f});

        assertThat(deserialize(raw, WRITTEN).token().values()).containsExactly(1f, 2f);
    }

    @Test
    void readsRawAvroOfAUsersSchema() throws Exception {
        builder.format(RecordFormat.TOKEN_RAW);
        builder.writerSchema(
                """
                        {"type": "record", "name": "T", "fields": [
                          {"name": "id", "type": "int"},
                          {"name": "stream", "type": "string"},
                          {"name": "position", "type": "long"},
                          {"name": "timestamp", "type": "long"},
                          {"name": "values", "type": {"type": "array", "items": "float"}}
                        ]}
                        """);
        byte[] shipped = TokenEncoder.raw().encode("s", 7, 5, new float[] {1f, 2f});
        // The id comes first; the schema has no inputs, which are one byte at the end of the
        // others.
        byte[] raw = new byte[shipped.length];
        System.arraycopy(shipped, 0, raw, 1, shipped.length - 1);

        assertThat(deserialize(raw, WRITTEN).token().values()).containsExactly(1f, 2f);
    }

    /** A later release's tokens, and in Avro's encoding ours too. */
    @ParameterizedTest
    @EnumSource
    void readsTokensOfALaterSchema(RecordFormat format) throws Exception {
        String later =
                io.flinkmoe.schemas.Token.getClassSchema()
                        .toString()
                        .replace(
                                "{\"name\":\"timestamp\"",
                                "{\"name\":\"priority\",\"type\":[\"null\",\"int\"],\"default\":null},"
                                        + "{\"name\":\"timestamp\"");
        Schema schema = new Schema.Parser().parse(later);
        builder.format(format);
        builder.writerSchema(later);
        GenericRecord token = new GenericData.Record(schema);
        token.put("stream", "s");
        token.put("position", 7L);
        token.put("timestamp", 5L);
        token.put("priority", 3);
        token.put("values", List.of(1f, 2f));

        Arrival arrival = deserialize(encode(token, format), WRITTEN);

        assertThat(reason(arrival)).isEmpty();
        assertThat(arrival.token().timestamp()).isEqualTo(5);
        assertThat(arrival.token().values()).containsExactly(1f, 2f);
        if (format == RecordFormat.TOKEN) {
            assertThat(reason(deserialize(token(5, 1f, 2f), WRITTEN))).isEmpty();
        }
    }

    private static byte[] encode(GenericRecord token, RecordFormat format) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        if (format == RecordFormat.TOKEN) {
            new BinaryMessageEncoder<GenericRecord>(GenericData.get(), token.getSchema())
                    .encode(token, out);
        } else {
            BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
            new GenericDatumWriter<GenericRecord>(token.getSchema()).write(token, encoder);
            encoder.flush();
        }
        return out.toByteArray();
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "{\"type\": \"record\", \"name\": \"T\", \"fields\": []}"})
    void refusesWhatIsNoSchemaOfTokens(String json) {
        assertThatThrownBy(() -> builder.writerSchema(json))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void refusesSeveralSchemasOfRawRecords() {
        String schema = io.flinkmoe.schemas.Token.getClassSchema().toString();
        builder.format(RecordFormat.TOKEN_RAW).writerSchema(schema).writerSchema(schema);

        assertThatThrownBy(builder::build)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("2 schemas were added; the format token-raw allows only one");
    }

    @Test
    void refusesANegativeMaxAhead() {
        assertThatThrownBy(() -> builder.maxAhead(Duration.ofMillis(-1)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("maxAhead is PT-0.001S, but cannot be negative");
    }

    @Test
    void hasATypeOfItsOwn() {
        assertThat(builder.build().getProducedType()).isEqualTo(Arrival.TYPE);
    }

    /** As a task does: from the serialized form. */
    private Arrival deserialize(byte[] value, long written) throws Exception {
        return deserialize(null, value, written, new RecordHeaders());
    }

    private Arrival deserialize(byte[] key, byte[] value, long written, Headers headers)
            throws Exception {
        TokenDeserializer deserializer = InstantiationUtil.clone(builder.build());
        deserializer.open(null);
        ConsumerRecord<byte[], byte[]> record =
                new ConsumerRecord<>(
                        "in",
                        3,
                        42,
                        written,
                        timestampType,
                        0,
                        0,
                        key,
                        value,
                        headers,
                        Optional.empty());
        List<Arrival> arrivals = new ArrayList<>();
        deserializer.deserialize(record, new ListCollector<>(arrivals));
        assertThat(arrivals).hasSize(1);
        return arrivals.get(0);
    }

    private static byte[] token(long timestamp, float... values) {
        return TokenEncoder.singleObject().encode("s", 7, timestamp, values);
    }

    private static Optional<String> reason(Arrival arrival) {
        return Optional.ofNullable(arrival.deadLetter()).map(DeadLetter::reason);
    }
}
