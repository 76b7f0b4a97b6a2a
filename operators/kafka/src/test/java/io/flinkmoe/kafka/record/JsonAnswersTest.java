// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import static java.nio.charset.StandardCharsets.UTF_16;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.LayerNames;
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
import io.flinkmoe.kafka.decode.RecordReader.Keeper;
import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

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

    private static final AnswerFields FIELDS =
            AnswerFields.of(OUTPUTS)
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
        Arrival arrival = read(FIELDS, record, headers);
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
        Arrival arrival = read(AnswerFields.of(OUTPUTS), "{\"x\": 1}", new RecordHeaders());

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
        assertThat(answer(read(FIELDS, record, new RecordHeaders()), null, null).value())
                .asString(UTF_8)
                .startsWith(kept + ",\"score\":null");
    }

    @Test
    void aVectorHasTheNameOfItsOutput() throws Exception {
        ColumnLayout vector = new ColumnLayout(List.of(new Column("y", ColumnType.FLOAT, 2)));
        Arrival arrival = read(FIELDS, "{\"x\": 1}", new RecordHeaders());

        assertThat(text(AnswerFields.of(vector), scored(arrival, new float[] {1, 0.5f}, null)))
                .isEqualTo("{\"y\":[1.0,0.5],\"model_version\":\"v1\"}");
    }

    @Test
    void vectorsMayBeLong() throws Exception {
        ColumnLayout vector = new ColumnLayout(List.of(new Column("y", ColumnType.FLOAT, 3000)));
        Arrival arrival = read(FIELDS, "{\"x\": 1}", new RecordHeaders());
        float[] values = new float[3000];
        Arrays.fill(values, -1.2345679E-38f);

        assertThat(text(AnswerFields.of(vector), scored(arrival, values, null)))
                .isEqualTo(
                        "{\"y\":[%s-1.2345679E-38],\"model_version\":\"v1\"}"
                                .formatted("-1.2345679E-38,".repeat(2999)));
    }

    @Test
    void floatsThatAreNotFiniteAreTexts() throws Exception {
        ColumnLayout vector = new ColumnLayout(List.of(new Column("y", ColumnType.FLOAT, 40)));
        Arrival arrival = read(FIELDS, "{\"x\": 1}", new RecordHeaders());
        float[] values = new float[40];
        Arrays.fill(values, Float.NEGATIVE_INFINITY);
        values[0] = Float.NaN;

        assertThat(text(AnswerFields.of(vector), scored(arrival, values, null)))
                .isEqualTo(
                        "{\"y\":[\"NaN\"%s],\"model_version\":\"v1\"}"
                                .formatted(",\"-Infinity\"".repeat(39)));
    }

    @Test
    void allFieldsAreKeptAsTheyAreWritten() throws Exception {
        AnswerFields all = AnswerFields.of(OUTPUTS).keepAll();
        String fields = "\"x\" : 1 , \"n\": [1.10, {}],\t\"é\": \"\\u00e9\"";
        for (String begin : List.of("{", "\uFEFF{ ")) {
            Arrival arrival = read(all, begin + fields + "\n}", new RecordHeaders());

            assertThat(text(all, scored(arrival, null, null)))
                    .startsWith("{" + fields + ",\"score\":null");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"c0af", "eda080"})
    void keptBytesThatAreNoUtf8AreRejected(String hex) throws Exception {
        byte[] wrong = HexFormat.of().parseHex(hex);
        ByteArrayOutputStream record = new ByteArrayOutputStream();
        record.writeBytes("{\"x\": 1, \"id\": \"".getBytes(UTF_8));
        record.writeBytes(wrong);
        record.writeBytes("\"}".getBytes(UTF_8));
        for (AnswerFields fields : List.of(FIELDS, AnswerFields.of(OUTPUTS).keepAll())) {
            Arrival arrival =
                    RecordDeserializerTest.read(
                            deserializer(fields), record.toByteArray(), new RecordHeaders());

            assertThat(arrival.deadLetter().reason()).contains("UTF-8");
        }
    }

    @Test
    void aRecordWhoseAnswerWouldBeTooLargeIsRejected() throws Exception {
        String record = "{\"x\": 1, \"id\": \"%s\"}";
        RecordDeserializer limited =
                deserializer(AnswerFields.of(OUTPUTS).keep("id")).maxKeptBytes(1000);
        for (int length : new int[] {900, 1000}) {
            Arrival arrival =
                    RecordDeserializerTest.read(
                            limited,
                            record.formatted("a".repeat(length)).getBytes(UTF_8),
                            new RecordHeaders());

            if (length == 900) {
                assertThat(arrival.deadLetter()).isNull();
            } else {
                assertThat(arrival.deadLetter().reason())
                        .matches(
                                "the kept fields and headers have 1,0\\d\\d bytes; allowed: 1,000");
            }
        }
    }

    @Test
    void anObjectWithoutFieldsIsKept() throws Exception {
        AnswerFields all = AnswerFields.of(OUTPUTS).keepAll();
        InputLayout optional =
                new InputLayout(
                        List.of(new InputSpec("x", ColumnType.FLOAT, null, null, "0")), List.of());
        Arrival arrival =
                RecordDeserializerTest.read(
                        RecordDeserializer.of(
                                        optional,
                                        RecordBinding.ofStream("key"),
                                        RecordEncoding.json())
                                .answers(all)
                                .timestamps(TimestampRules.NONE),
                        " { } ".getBytes(UTF_8),
                        new RecordHeaders());

        assertThat(text(all, scored(arrival, null, null))).startsWith("{\"score\":null");
    }

    @Test
    void aRecordWithTheNameOfAnOutputIsADeadLetterIfAllFieldsAreKept() throws Exception {
        AnswerFields all = AnswerFields.of(OUTPUTS).keepAll();

        assertThat(arrival(all, "{\"x\": 1, \"sc\\u006fre\": 2}").deadLetter().reason())
                .isEqualTo(
                        "all fields are kept, but score is the name of another field of the answer");
        assertThat(arrival(all, "{\"x\": 1, \"choices\": 2}").deadLetter()).isNull();
        assertThat(
                        arrival(all.choices(List.of()), "{\"x\": 1, \"choices\": 2}")
                                .deadLetter()
                                .reason())
                .contains("choices");
    }

    @Test
    void onlyUtf8IsKept() throws Exception {
        Arrival arrival =
                RecordDeserializerTest.read(
                        deserializer(FIELDS),
                        "{\"x\": 1, \"id\": 1}".getBytes(UTF_16),
                        new RecordHeaders());

        assertThat(arrival.deadLetter().reason()).isEqualTo("the value is no UTF-8, at byte 0");
    }

    @Test
    void choicesNameGatesAndExperts() throws Exception {
        LayerNames names = new LayerNames(List.of("risk", "value"), List.of("a", "b", "c"));
        AnswerFields choices =
                AnswerFields.of(new ColumnLayout(List.of(new Column("y", ColumnType.FLOAT, null))))
                        .choices(List.of(names));
        Arrival arrival = read(choices, "{\"x\": 1}", new RecordHeaders());
        Decision[] layers = {
            new Decision(
                    new int[] {2, 0},
                    new float[] {0.75f, 0, 0.5f, 0},
                    new Outcome[] {Outcome.EXECUTED, Outcome.OVERFLOWED}),
            new Decision(new int[] {-1}, new float[] {Float.NaN}, new Outcome[] {Outcome.FAILED})
        };

        assertThat(text(choices, scored(arrival, new float[] {2}, null, layers)))
                .isEqualTo(
                        "{\"y\":2.0,\"model_version\":\"v1\",\"choices\":["
                                + "{\"layer\":0,\"gate\":\"risk\",\"expert\":\"c\",\"weight\":0.75,\"outcome\":\"EXECUTED\"},"
                                + "{\"layer\":0,\"gate\":\"value\",\"expert\":\"c\",\"weight\":0.5,\"outcome\":\"EXECUTED\"},"
                                + "{\"layer\":0,\"gate\":null,\"expert\":\"a\",\"weight\":0.0,\"outcome\":\"OVERFLOWED\"},"
                                + "{\"layer\":1,\"gate\":\"0\",\"expert\":null,\"weight\":null,\"outcome\":\"FAILED\"}]}");
        assertThat(choices.choices().count(layers)).isEqualTo(4);
    }

    @Test
    void refusesNamesThatClash() {
        AnswerFields fields = AnswerFields.of(OUTPUTS);
        assertThatThrownBy(() -> fields.keep("a.id", "b.id"))
                .hasMessage(
                        "of the kept fields [a.id, b.id], two would have one name in the answer");
        for (String name : List.of("geo.score", "model_version")) {
            assertThatThrownBy(() -> fields.keep(name))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("the kept field " + name + " has the name of another");
        }
        AnswerFields choices = fields.keep("choices");
        assertThatThrownBy(() -> choices.choices(List.of()))
                .hasMessageStartingWith("the kept field choices has the name of another");
        assertThatThrownBy(
                        () ->
                                AnswerFields.of(
                                        new ColumnLayout(
                                                List.of(
                                                        new Column(
                                                                "model_version",
                                                                ColumnType.STRING,
                                                                null)))))
                .hasMessageStartingWith("the output model_version of the model has the name");
    }

    @Test
    void refusesWhatWasKeptInAnotherForm() {
        byte[] other = new Payload(7, List.of(), new byte[] {1}).toBytes();

        assertThatThrownBy(() -> Payload.of(other, Keeper.JSON))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("0000000000000007")
                .hasMessageContaining("Restore it with the former ones");
    }

    private static ProducerRecord<byte[], byte[]> answer(
            Arrival arrival, float[] values, TypedValues outputs) {
        JsonAnswerSerializer serializer = new JsonAnswerSerializer("out", FIELDS, RecordKey.STREAM);
        serializer.open(null, null);
        return serializer.serialize(scored(arrival, values, outputs), null, null);
    }

    private static String text(AnswerFields fields, ScoredToken token) {
        JsonAnswerSerializer serializer = new JsonAnswerSerializer("out", fields, RecordKey.STREAM);
        serializer.open(null, null);
        return new String(serializer.serialize(token, null, null).value(), UTF_8);
    }

    private static ScoredToken scored(Arrival arrival, float[] values, TypedValues outputs) {
        return scored(arrival, values, outputs, new Decision[0]);
    }

    static ScoredToken scored(
            Arrival arrival, float[] values, TypedValues outputs, Decision[] layers) {
        return new ScoredToken(
                arrival.token().stream(),
                arrival.token().position(),
                arrival.token().timestamp(),
                values,
                outputs,
                "v1",
                layers,
                arrival.partition(),
                arrival.token().payload());
    }

    private static Arrival read(AnswerFields fields, String record, Headers headers)
            throws Exception {
        Arrival arrival =
                RecordDeserializerTest.read(deserializer(fields), record.getBytes(UTF_8), headers);
        assertThat(arrival.deadLetter()).isNull();
        return arrival;
    }

    private static Arrival arrival(AnswerFields fields, String record) throws Exception {
        return RecordDeserializerTest.read(
                deserializer(fields), record.getBytes(UTF_8), new RecordHeaders());
    }

    private static RecordDeserializer deserializer(AnswerFields fields) {
        return RecordDeserializer.of(INPUTS, RecordBinding.ofStream("key"), RecordEncoding.json())
                .answers(fields)
                .timestamps(TimestampRules.NONE);
    }
}
