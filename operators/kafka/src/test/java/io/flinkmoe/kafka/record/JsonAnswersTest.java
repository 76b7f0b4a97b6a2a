// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.column.TypedValuesBuilder;
import io.flinkmoe.kafka.RecordKey;
import io.flinkmoe.kafka.TimestampRules;
import java.util.List;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is kept of a JSON record comes back in the answer, as it was written. */
class JsonAnswersTest {

    private static final InputLayout INPUTS =
            new InputLayout(List.of(new InputSpec("x", ColumnType.FLOAT, null)), List.of());

    private static final ColumnLayout OUTPUTS =
            new ColumnLayout(
                    List.of(
                            new Column("score", ColumnType.FLOAT, null),
                            new Column("classes", ColumnType.DOUBLE, 2),
                            new Column("label", ColumnType.STRING, null),
                            new Column("count", ColumnType.INT64, null)));

    private static final RecordBinding BINDING =
            RecordBinding.ofStream("key")
                    .keep("id", "geo.country", "all", "no\"ne")
                    .keepHeaders("trace");

    @Test
    void keptFieldsKeepTheirTextAndOutputsHaveTheirNames() throws Exception {
        String record =
                """
                { "x": 1, "id" : 1.10E+2 , "geo": {"city": {"country": 1}, "country": "DÉ\\u00e9"},
                  "all": [1, {"a": -0.0}, null ] , "id2": 3}""";
        Headers headers =
                new RecordHeaders()
                        .add("trace", new byte[] {1})
                        .add("other", null)
                        .add("trace", null);
        Arrival arrival = read(BINDING, record, headers);
        TypedValues outputs =
                new TypedValuesBuilder(
                                new InputLayout(
                                        OUTPUTS.columns().stream()
                                                .map(
                                                        c ->
                                                                new InputSpec(
                                                                        c.name(), c.type(),
                                                                        c.width()))
                                                .toList(),
                                        List.of()))
                        .set("score", 0.1f)
                        .set("classes", new double[] {0.25, 1e-7})
                        .set("label", "a\"b")
                        .set("count", Long.MAX_VALUE)
                        .build();

        ProducerRecord<byte[], byte[]> answer = answer(arrival, null, outputs);

        assertThat(answer.value())
                .asString(UTF_8)
                .isEqualTo(
                        "{\"id\":1.10E+2,\"country\":\"DÉ\\u00e9\",\"all\":[1, {\"a\": -0.0}, null ],"
                                + "\"score\":0.1,\"classes\":[0.25,1.0E-7],\"label\":\"a\\\"b\","
                                + "\"count\":9223372036854775807,\"model_version\":\"v1\"}");
        assertThat(answer.key()).asString(UTF_8).isEqualTo("k");
        assertThat(answer.headers())
                .isEqualTo(new RecordHeaders().add("trace", new byte[] {1}).add("trace", null));
    }

    @Test
    void outputsAreNullWhereNothingRan() throws Exception {
        Arrival arrival = read(RecordBinding.ofStream("key"), "{\"x\": 1}", new RecordHeaders());

        assertThat(arrival.token().payload()).isNull();
        assertThat(answer(arrival, null, null).value())
                .asString(UTF_8)
                .isEqualTo(
                        "{\"score\":null,\"classes\":null,\"label\":null,\"count\":null,"
                                + "\"model_version\":\"v1\"}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"x\": 1, \"id\": 7} | {\"id\":7",
                "{\"id\": -7,\"x\": 1} | {\"id\":-7",
                "{\"id\": 1, \"x\": 1, \"id\": 2} | {\"id\":2",
                "{\"id\": true , \"x\": 1} | {\"id\":true",
                "{\"id\": {} , \"x\": 1} | {\"id\":{}",
                "{\"id\": \"é\\\"\\\\\",\"x\": 1} | {\"id\":\"é\\\"\\\\\"",
                "{\"x\": 1, \"geo\": 3, \"all\": null} | {\"all\":null",
                "{\"x\": 1, \"geo\": {\"country\": {\"id\": 1}}} | {\"country\":{\"id\": 1}",
                "{\"x\": 1, \"no\\\"ne\": 1} | {\"no\\\"ne\":1",
            })
    void valuesAreCutOutWhereverTheyAre(String record, String kept) throws Exception {
        assertThat(answer(read(BINDING, record, new RecordHeaders()), null, null).value())
                .asString(UTF_8)
                .startsWith(kept + ",\"score\":null");
    }

    @Test
    void aVectorHasTheNameOfItsOutput() throws Exception {
        ColumnLayout vector = new ColumnLayout(List.of(new Column("y", ColumnType.FLOAT, 2)));
        Arrival arrival = read(BINDING, "{\"x\": 1}", new RecordHeaders());

        assertThat(
                        new JsonAnswerSerializer("out", vector, BINDING, RecordKey.STREAM)
                                .serialize(scored(arrival, new float[] {1, 0.5f}, null), null, null)
                                .value())
                .asString(UTF_8)
                .isEqualTo("{\"y\":[1.0,0.5],\"model_version\":\"v1\"}");
    }

    @Test
    void refusesNamesThatClash() {
        assertThatThrownBy(() -> RecordBinding.ofStream("key").keep("a.id", "b.id"))
                .hasMessage(
                        "of the kept fields [a.id, b.id], two would have one name in the answer");
        for (String name : List.of("geo.score", "model_version")) {
            RecordBinding binding = RecordBinding.ofStream("key").keep(name);
            assertThatThrownBy(
                            () ->
                                    new JsonAnswerSerializer(
                                            "out", OUTPUTS, binding, RecordKey.STREAM))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("the kept field " + name + " has the name of another");
        }
    }

    private static ProducerRecord<byte[], byte[]> answer(
            Arrival arrival, float[] values, TypedValues outputs) {
        return new JsonAnswerSerializer("out", OUTPUTS, BINDING, RecordKey.STREAM)
                .serialize(scored(arrival, values, outputs), null, null);
    }

    private static ScoredToken scored(Arrival arrival, float[] values, TypedValues outputs) {
        return new ScoredToken(
                arrival.token().stream(),
                arrival.token().position(),
                arrival.token().timestamp(),
                values,
                outputs,
                "v1",
                new Decision[0],
                arrival.partition(),
                arrival.token().payload());
    }

    private static Arrival read(RecordBinding binding, String record, Headers headers)
            throws Exception {
        Arrival arrival =
                RecordDeserializerTest.read(
                        RecordDeserializer.json(INPUTS, binding).timestamps(TimestampRules.NONE),
                        record.getBytes(UTF_8),
                        headers);
        assertThat(arrival.deadLetter()).isNull();
        return arrival;
    }
}
