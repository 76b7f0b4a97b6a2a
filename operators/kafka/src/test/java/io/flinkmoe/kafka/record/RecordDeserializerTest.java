// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.Rejection.Kind;
import io.flinkmoe.api.Token;
import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.kafka.TimestampRules;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.flink.api.common.functions.util.ListCollector;
import org.apache.flink.util.InstantiationUtil;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.record.TimestampType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** JSON records; {@link AvroRecordsTest} has those in Avro. */
class RecordDeserializerTest {

    private static final InputLayout INPUTS =
            new InputLayout(
                    List.of(
                            new InputSpec("numeric", ColumnType.FLOAT, 2),
                            new InputSpec("country", ColumnType.STRING, null),
                            new InputSpec("count", ColumnType.INT32, null, null, "7"),
                            new InputSpec("known", ColumnType.BOOL, null, null, "false")),
                    List.of());

    private static final RecordBinding BINDING =
            RecordBinding.ofStream("card")
                    .timestamp("at", TimeUnit.SECONDS)
                    .feature("numeric", "amount", "geo.distance")
                    .featureOr("country", "??", "geo.country");

    private static final String GOOD =
            """
            {"card": "c1", "at": 5, "amount": 1.1, "count": 3, "known": true, "more": [{}],
             "geo": {"distance": 2, "country": "DE"}}""";

    @Test
    void bindsFieldsByPathAndByName() throws Exception {
        Token token = token(GOOD);

        assertThat(token.stream()).isEqualTo("c1");
        assertThat(token.position()).as("the offset").isEqualTo(42);
        assertThat(token.timestamp()).isEqualTo(5_000);
        assertThat(token.inputs().get(0)).isEqualTo(new float[] {1.1f, 2});
        assertThat(token.inputs().get(1)).isEqualTo("DE");
        assertThat(token.inputs().get(2)).isEqualTo(3);
        assertThat(token.inputs().get(3)).isEqualTo(true);
    }

    @Test
    void whatIsMissingIsWhatBindingOrModelSay() throws Exception {
        Token token =
                token(
                        """
                        {"card": 17, "at": 5, "amount": 1, "known": null,
                         "geo": {"distance": 2e0, "country": null}}""");

        assertThat(token.stream()).isEqualTo("17");
        assertThat(token.inputs().get(1)).isEqualTo("??");
        assertThat(token.inputs().get(2)).isEqualTo(7);
        assertThat(token.inputs().get(3)).isEqualTo(false);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"c1\" | null | STREAM | card is missing, so there is no stream",
                "\"c1\" | 1.5 | STREAM | card is 1.5, so there is no stream; allowed: a text or a whole number",
                "5 | null | TIMESTAMP | at is missing",
                "5 | \"x\" | TIMESTAMP | at is x; allowed: a whole number",
                "5 | 5.5 | TIMESTAMP | at is 5.5; allowed: a whole number",
                "5 | 1e18 | TIMESTAMP | at is 1000000000000000000 seconds, which is no time",
                "1.1 | null | INPUT | numeric[0] is missing (field amount)",
                "2 | null | INPUT | numeric[1] is missing (field geo.distance)",
                "1.1 | \"x\" | INPUT | numeric[0] is x, a text; the model takes the type float (field amount)",
                "1.1 | 16777217 | INPUT | numeric[0] is 16777217, which is not exactly the type float (field amount)",
                "1.1 | 1e99 | INPUT | numeric[0] is 1E+99, which is too large for the type float (field amount)",
                "1.1 | [1] | INPUT | a value of a vector of several fields is an array (field amount)",
                "2 | {} | INPUT | geo.distance is an object, no single value",
                "3 | 3.5 | INPUT | count is 3.5, which is not exactly the type int32",
                "true | 1 | INPUT | known is 1, a number; the model takes the type bool",
            })
    void namesWhatCannotBeScored(String text, String instead, Kind kind, String reason)
            throws Exception {
        Arrival arrival = json(GOOD.replaceFirst(text, instead));

        assertThat(arrival.deadLetter().rejection().reason()).isEqualTo(reason);
        assertThat(arrival.deadLetter().rejection().kind()).isEqualTo(kind);
        assertThat(arrival.deadLetter().record().value())
                .isEqualTo(GOOD.replaceFirst(text, instead).getBytes(UTF_8));
        assertThat(arrival.deadLetter().origin().offset()).isEqualTo(42);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "[1] | the value is no JSON object",
                "{} {} | the value is no JSON object: something follows the object, at byte 3",
                "{\"a\": geheim} | the value is no JSON object: a value is missing, at byte 6",
                "geheim | the value is no JSON object: { is missing, at byte 0",
                "'  ' | the value is no JSON object",
                "{\"card\": \"c\", \"at\": {}} | at is an object, no single value",
                "{\"card\": \"c\", \"at\": 5, \"geo\": {}} | numeric[0] is missing",
                "{\"card\": \"c\", \"at\": 5, \"amount\": 1, \"geo\": 3} | geo is no object, so it has no distance",
            })
    void namesWhatIsNoRecord(String text, String reason) throws Exception {
        assertThat(json(text).deadLetter().rejection().reason()).startsWith(reason);
    }

    /** Replaced as Java does, two of these would be one stream. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\\ud800 | STREAM | card has half of a surrogate pair, which is no Unicode",
                "\\udc00\\ud800 | STREAM | card has half of a surrogate pair, which is no Unicode",
                "a\\ud83dx | STREAM | card has half of a surrogate pair, which is no Unicode",
            })
    void halfOfASurrogatePairIsNoStreamAndNoInput(String text, Kind kind, String reason)
            throws Exception {
        Arrival arrival = json(GOOD.replace("c1", text));
        assertThat(arrival.deadLetter().rejection().reason()).isEqualTo(reason);
        assertThat(arrival.deadLetter().rejection().kind()).isEqualTo(kind);
        Arrival input = json(GOOD.replace("DE", text));
        assertThat(input.deadLetter().rejection().kind()).isEqualTo(Kind.INPUT);
        assertThat(input.deadLetter().rejection().reason())
                .isEqualTo("geo.country has half of a surrogate pair, which is no Unicode");

        assertThat(token(GOOD.replace("c1", "\\ud83d\\ude00")).stream()).isEqualTo("\ud83d\ude00");
    }

    @Test
    void whatIsNoUtf8IsADeadLetter() throws Exception {
        byte[] overlong = GOOD.getBytes(ISO_8859_1);
        overlong[10] = (byte) 0xc0; // With b1 another way to write the 1 of c1.
        overlong[11] = (byte) 0xb1;
        Arrival arrival = read(ofBinding(BINDING), overlong, new RecordHeaders());
        assertThat(arrival.deadLetter().rejection().kind()).isEqualTo(Kind.MALFORMED);
        assertThat(arrival.deadLetter().reason()).isEqualTo("the value is no UTF-8, at byte 10");
        Arrival wide = read(ofBinding(BINDING), GOOD.getBytes(UTF_16LE), new RecordHeaders());
        assertThat(wide.deadLetter().reason())
                .isEqualTo(
                        "the value is no JSON object: a name in double quotes is missing, at byte 1");

        Headers headers = new RecordHeaders().add("tenant", new byte[] {'t', (byte) 0xff});
        Arrival header = deserialize(RecordBinding.ofStream("header.tenant"), GOOD, headers);
        assertThat(header.deadLetter().rejection().kind()).isEqualTo(Kind.STREAM);
        assertThat(header.deadLetter().reason())
                .isEqualTo("the header tenant is no UTF-8, at byte 1, so there is no stream");
    }

    @ParameterizedTest
    @CsvSource({
        "7, 7",
        "7.0, 7",
        "70e-1, 7",
        "7e2, 700",
        "-0.0, 0",
        "0e2147483647, 0",
        "12345678901234567890123.00, 12345678901234567890123",
        "'\"7.0\"', 7.0",
        "'\"007\"', 007",
    })
    void aNumberThatIsWholeIsTheStreamOfItsValue(String card, String stream) throws Exception {
        assertThat(token(GOOD.replace("\"c1\"", card)).stream()).isEqualTo(stream);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"c1\" | 1e1024 | STREAM | card is 1E+1024, so there is no stream; allowed: a text or a whole number",
                "\"c1\" | 100e2147483647 | STREAM | card is 1.00E+2147483649, so there is no stream; allowed: a text or a whole number",
                "\"c1\" | 1e-999999999 | STREAM | card is 1E-999999999, so there is no stream; allowed: a text or a whole number",
                "\"c1\" | 1e99999999999 | STREAM | card has an exponent that is out of range",
                "5 | 1e-99999999999 | TIMESTAMP | at has an exponent that is out of range",
                "3 | 1e99999999999 | INPUT | count has an exponent that is out of range",
            })
    void anExponentMayHaveAnySize(String text, String instead, Kind kind, String reason)
            throws Exception {
        Arrival arrival = json(GOOD.replaceFirst(text, instead));
        assertThat(arrival.deadLetter().rejection().reason()).isEqualTo(reason);
        assertThat(arrival.deadLetter().rejection().kind()).isEqualTo(kind);
    }

    @Test
    void aNumberIsTooLongFromItsFirstByteOn() throws Exception {
        for (String number : List.of("9".repeat(1_001), "0." + "9".repeat(1_000))) {
            for (String field : List.of("amount", "unread")) {
                Arrival arrival = json("{\"%s\": %s}".formatted(field, number));
                assertThat(arrival.deadLetter().reason())
                        .isEqualTo(
                                "the value is no JSON object: a number has 1,001 digits; allowed: up to 1,000, at byte 11");
            }
        }
    }

    @Test
    void streamIsAKeyOrAHeaderOnRequestAndTheTimestampKafkas() throws Exception {
        String record = "{\"numeric\": [1, 2], \"country\": \"DE\", \"seq\": 9}";
        Headers headers = new RecordHeaders().add("tenant", "t7".getBytes(UTF_8));

        Token byKey = deserialize(RecordBinding.ofStream("key"), record, headers).token();
        Token byHeader =
                deserialize(
                                RecordBinding.ofStream("header.tenant").position("seq"),
                                record,
                                headers)
                        .token();
        Arrival none = deserialize(RecordBinding.ofStream("header.other"), record, headers);

        assertThat(byKey.stream()).isEqualTo("k");
        assertThat(byKey.timestamp()).isEqualTo(1_000);
        assertThat(byHeader.stream()).isEqualTo("t7");
        assertThat(byHeader.position()).isEqualTo(9);
        assertThat(none.deadLetter().rejection().reason())
                .isEqualTo("the header other is missing, so there is no stream");
    }

    @Test
    void timestampsAreCheckedByTheRules() throws Exception {
        String late = GOOD.replace("\"at\": 5", "\"at\": 5000");
        RecordDeserializer strict =
                RecordDeserializer.of(INPUTS, BINDING, RecordEncoding.json())
                        .timestamps(TimestampRules.DEFAULT.withoutClock());

        assertThat(read(strict, late, new RecordHeaders()).deadLetter().rejection().kind())
                .isEqualTo(Kind.AHEAD);
        assertThat(token(late).timestamp()).isEqualTo(5_000_000);
    }

    @Test
    void refusesBindingsThatDoNotFitAllAtOnce() {
        RecordBinding binding =
                RecordBinding.ofStream("card")
                        .feature("numeric", "a", "b", "c")
                        .featureOr("count", "many", "n")
                        .feature("nobody", "x");

        assertThatThrownBy(() -> RecordDeserializer.of(INPUTS, binding, RecordEncoding.json()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(
                        "numeric has 3 fields; allowed: 1, or 2; missing of count is many")
                .hasMessageContaining("; nobody is not an input of the model; its inputs are ");
        assertThatThrownBy(() -> RecordBinding.ofStream("a..b"))
                .hasMessageStartingWith("the path 'a..b' has an empty name");
    }

    private static Token token(String record) throws Exception {
        Arrival arrival = json(record);
        assertThat(arrival.deadLetter()).isNull();
        return arrival.token();
    }

    private static Arrival json(String record) throws Exception {
        return deserialize(BINDING, record, new RecordHeaders());
    }

    private static Arrival deserialize(RecordBinding binding, String record, Headers headers)
            throws Exception {
        return read(ofBinding(binding), record, headers);
    }

    private static RecordDeserializer ofBinding(RecordBinding binding) {
        return RecordDeserializer.of(INPUTS, binding, RecordEncoding.json())
                .timestamps(TimestampRules.NONE);
    }

    private static Arrival read(RecordDeserializer deserializer, String value, Headers headers)
            throws Exception {
        return read(deserializer, value.getBytes(UTF_8), headers);
    }

    /** Sends the deserializer to a task first. */
    static Arrival read(RecordDeserializer deserializer, byte[] value, Headers headers)
            throws Exception {
        List<Arrival> arrivals = new ArrayList<>();
        try (RecordDeserializer copy = InstantiationUtil.clone(deserializer)) {
            copy.open(null);
            copy.deserialize(
                    new ConsumerRecord<>(
                            "in",
                            3,
                            42,
                            1_000,
                            TimestampType.CREATE_TIME,
                            1,
                            value.length,
                            "k".getBytes(UTF_8),
                            value,
                            headers,
                            Optional.empty()),
                    new ListCollector<>(arrivals));
        }
        assertThat(arrivals).hasSize(1);
        return arrivals.get(0);
    }
}
