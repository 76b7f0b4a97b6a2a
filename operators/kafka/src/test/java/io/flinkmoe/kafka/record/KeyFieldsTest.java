// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.kafka.TimestampRules;
import io.flinkmoe.kafka.registry.Credentials;
import io.flinkmoe.kafka.registry.RegistrySettings;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.flink.api.common.functions.util.ListCollector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A stream that is a field of the key of records. */
class KeyFieldsTest {

    private static final InputLayout INPUTS =
            new InputLayout(List.of(new InputSpec("x", ColumnType.FLOAT, null)), List.of());

    private static final RecordBinding BINDING = RecordBinding.ofStream("key.card.id");

    private static final Schema KEY =
            SchemaBuilder.record("Key")
                    .fields()
                    .name("card")
                    .type(SchemaBuilder.record("Card").fields().requiredString("id").endRecord())
                    .noDefault()
                    .endRecord();

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"card\": {\"id\": \"c\"}} | c",
                "{\"card\": {\"id\": 17, \"n\": [1]}, \"m\": {}} | 17",
            })
    void isFoundInKeysInJson(String key, String stream) throws Exception {
        assertThat(read(RecordEncoding.json(), key.getBytes(UTF_8)).token().stream())
                .isEqualTo(stream);
    }

    @Test
    void isFoundInKeysInAvro() throws Exception {
        assertThat(read(RecordEncoding.avro(KEY), new byte[] {4, 'a', 'b'}).token().stream())
                .isEqualTo("ab");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"card\": {\"id\": \"\\ud800\"}} | STREAM | key.card.id has half of a surrogate pair",
                "{} | STREAM | key.card.id is missing, so there is no stream",
                "{\"card\": {\"id\": 1.5}} | STREAM | key.card.id is 1.5, so there is no stream; allowed: a text",
                "{\"card\": 1} | STREAM | key.card is no object, so it has no id",
                "\"c\" | MALFORMED | the key is no JSON object",
                "{\"card\" | MALFORMED | the key is no JSON object: it ends within an object, at byte 7",
            })
    void aKeyWithoutItIsADeadLetter(String key, Kind kind, String reason) throws Exception {
        Arrival arrival = read(RecordEncoding.json(), key.getBytes(UTF_8));

        assertThat(arrival.deadLetter().reason()).startsWith(reason);
        assertThat(arrival.deadLetter().rejection().kind()).isEqualTo(kind);
        assertThat(arrival.deadLetter().record().key()).isEqualTo(key.getBytes(UTF_8));
    }

    @Test
    void noKeyAnEmptyOneAndBadBytesAreDeadLetters() throws Exception {
        for (byte[] key : new byte[][] {null, {}}) {
            for (RecordEncoding keys : List.of(RecordEncoding.json(), RecordEncoding.avro(KEY))) {
                Arrival arrival = read(keys, key);
                assertThat(arrival.deadLetter().reason())
                        .isEqualTo("the key of the record is missing, so there is no stream");
                assertThat(arrival.deadLetter().rejection().kind()).isEqualTo(Kind.STREAM);
            }
        }
        assertThat(read(RecordEncoding.avro(KEY), new byte[] {4, 'a', -1}).deadLetter().reason())
                .isEqualTo("key.card.id is no UTF-8");
        assertThat(read(RecordEncoding.avro(KEY), new byte[] {9, 1}).deadLetter().reason())
                .startsWith("the key is no record of the schema Key: ");
    }

    @Test
    void refusesKeysWithoutFieldsAndTwoRegistries() {
        assertThatThrownBy(() -> RecordDeserializer.of(INPUTS, BINDING, RecordEncoding.json()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("the key is text, which has no fields; allowed: JSON or Avro");
        assertThatThrownBy(
                        () ->
                                RecordDeserializer.of(
                                        INPUTS,
                                        RecordBinding.ofStream("key.id"),
                                        RecordEncoding.json(),
                                        RecordEncoding.avro(KEY)))
                .hasMessage("id is not in the schema; Key has the fields card");
        Schema values = SchemaBuilder.record("V").fields().requiredFloat("x").endRecord();
        assertThatThrownBy(
                        () ->
                                RecordDeserializer.of(
                                        INPUTS,
                                        BINDING,
                                        RecordEncoding.registry(registry("http://a:1"), values),
                                        RecordEncoding.registry(registry("http://b:1"), KEY)))
                .hasMessageContainingAll("http://a:1", "http://b:1", "allowed: one registry")
                .hasMessageNotContaining("geheim");
    }

    @Test
    void aRegistryIsAskedOnlyForThePartsThatReferToIt() {
        Schema values = SchemaBuilder.record("V").fields().requiredFloat("x").endRecord();
        RegistrySettings registry = registry("http://a:1");

        assertThat(
                        RecordDeserializer.of(
                                        INPUTS,
                                        BINDING,
                                        RecordEncoding.json(),
                                        RecordEncoding.registry(registry, KEY))
                                .registry())
                .hasValueSatisfying(
                        use -> {
                            assertThat(use.parts().ofKeys()).isTrue();
                            assertThat(use.parts().ofValues()).isFalse();
                        });
        assertThat(
                        RecordDeserializer.of(
                                        INPUTS,
                                        RecordBinding.ofStream("key"),
                                        RecordEncoding.registry(registry, values),
                                        RecordEncoding.registry(registry, KEY))
                                .registry())
                .hasValueSatisfying(
                        use -> {
                            assertThat(use.parts().ofKeys()).isFalse();
                            assertThat(use.parts().ofValues()).isTrue();
                        });
    }

    private static RegistrySettings registry(String url) {
        return new RegistrySettings(
                RegistrySettings.urls(List.of(url)), Credentials.bearer("geheim"), null);
    }

    private static Arrival read(RecordEncoding keys, byte[] key) throws Exception {
        List<Arrival> arrivals = new ArrayList<>();
        try (RecordDeserializer deserializer =
                RecordDeserializer.of(INPUTS, BINDING, RecordEncoding.json(), keys)) {
            deserializer.timestamps(TimestampRules.NONE).open(null);
            deserializer.deserialize(
                    new ConsumerRecord<>(
                            "in",
                            3,
                            42,
                            1_000,
                            TimestampType.CREATE_TIME,
                            0,
                            0,
                            key,
                            "{\"x\": 1}".getBytes(UTF_8),
                            new RecordHeaders(),
                            Optional.empty()),
                    new ListCollector<>(arrivals));
        }
        assertThat(arrivals).hasSize(1);
        return arrivals.get(0);
    }
}
