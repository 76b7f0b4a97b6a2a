// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.schemas.MalformedRecordException.Kind;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TokenDecoderTest {

    /** Every kind of field to skip, before, between and after the token's own, in another order. */
    private static final Schema RICH =
            new Schema.Parser()
                    .parse(
                            """
                            {"type": "record", "name": "Rich", "namespace": "test", "fields": [
                              {"name": "id", "type": {"type": "fixed", "name": "Id", "size": 16}},
                              {"name": "values", "type": {"type": "array", "items": "float"}},
                              {"name": "tags", "type": {"type": "map", "values": "string"}},
                              {"name": "stream", "type": ["null", "string"]},
                              {"name": "note", "type": ["null", "bytes", "double"]},
                              {"name": "timestamp", "type": "long"},
                              {"name": "tree", "type": {"type": "record", "name": "Tree", "fields": [
                                {"name": "label", "type": "string"},
                                {"name": "next", "type": ["null", "Tree"]}]}},
                              {"name": "position", "type": "long"},
                              {"name": "ints", "type": {"type": "array", "items": "int"}}
                            ]}
                            """);

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 10, 511, 20_000})
    void readsWhatAvroWrites(int width) throws Exception {
        float[] values = vector(width, 1);
        Token token =
                new Token("JFK ✈", Long.MIN_VALUE, Instant.ofEpochMilli(-5), boxed(values), null);

        TokenDecoder single = TokenDecoder.singleObject(List.of());
        TokenDecoder raw = TokenDecoder.raw(Token.getClassSchema());
        single.decode(Avro.singleObject(token));
        raw.decode(Avro.raw(token));

        assertToken(single, "JFK ✈", Long.MIN_VALUE, -5, values);
        assertToken(raw, "JFK ✈", Long.MIN_VALUE, -5, values);
    }

    @Test
    void readsOtherSchemasWithFieldsInAnyOrder() throws Exception {
        float[] values = vector(300, 2);
        GenericRecord record = rich("LAX", values);

        TokenDecoder single = TokenDecoder.singleObject(List.of(RICH));
        TokenDecoder raw = TokenDecoder.raw(RICH);
        single.decode(Avro.singleObject(record));
        raw.decode(Avro.raw(record));

        assertToken(single, "LAX", 8, 99, values);
        assertToken(raw, "LAX", 8, 99, values);
        single.decode(TokenEncoder.singleObject().encode("ORD", 1, 2, new float[] {3f}));
        assertToken(single, "ORD", 1, 2, new float[] {3f});
    }

    @Test
    void readsArraysInSeveralBlocks() throws Exception {
        float[] values = vector(1000, 3);
        byte[] message = Avro.rawInBlocks(rich("LAX", values));
        assertThat(message).isNotEqualTo(Avro.raw(rich("LAX", values)));

        TokenDecoder decoder = TokenDecoder.raw(RICH);
        decoder.decode(message);

        assertToken(decoder, "LAX", 8, 99, values);
    }

    @Test
    void givesEachMessageItsOwnVector() throws Exception {
        TokenDecoder decoder = TokenDecoder.raw(Token.getClassSchema());
        decoder.decode(TokenEncoder.raw().encode("a", 1, 1, new float[] {1f, 2f}));
        float[] first = decoder.values();

        decoder.decode(TokenEncoder.raw().encode("a", 2, 1, new float[] {3f, 4f}));

        assertThat(first).containsExactly(1f, 2f);
        assertThat(decoder.values()).containsExactly(3f, 4f);
    }

    @Test
    void readsNullStreams() throws Exception {
        TokenDecoder decoder = TokenDecoder.raw(RICH);
        decoder.decode(Avro.raw(rich("first", vector(2, 4))));

        decoder.decode(Avro.raw(rich(null, vector(2, 4))));

        assertThat(decoder.stream()).isNull();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "'' | not Avro single-object encoding: no bytes",
                "7B2261223A317D | not Avro single-object encoding: starts with 7B 22; looks like JSON"
                        + " (an object), which moe.format: json reads",
                "0000000007 | not Avro single-object encoding: starts with 00 00; looks like"
                        + " Confluent's wire format (schema id 7), which moe.format: avro-registry reads",
                "00FFFFFFFF0473 | not Avro single-object encoding: starts with 00 FF; looks like"
                        + " Confluent's wire format (schema id 4294967295), which moe.format: avro-registry reads",
                "00000007 | not Avro single-object encoding: starts with 00 00",
                "41 | not Avro single-object encoding: starts with 41",
                "C3 | ends in the middle of the header",
                "C301 | ends in the middle of the header",
                "C30201020304050607 | not Avro single-object encoding: starts with C3 02",
                "C3010123456789ABCDEF | unknown schema fingerprint efcdab8967452301; give its schema"
                        + " with moe.schema"
            })
    void saysWhyAMessageIsNoSingleObject(String hex, String reason) {
        TokenDecoder decoder = TokenDecoder.singleObject(List.of());

        assertThatThrownBy(() -> decoder.decode(HexFormat.of().parseHex(hex)))
                .isExactlyInstanceOf(MalformedRecordException.class)
                .hasMessage(reason);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                // stream "a", position 1, timestamp 2, values [], no inputs is 02 61 02 04 00 00
                "'' | ends in the middle of `stream`",
                "0261 | ends in the middle of `position`",
                "0461 | ends in the middle of `stream`",
                "01 | `stream` is malformed: its length is -1",
                "FEFFFFFF0F61 | ends in the middle of `stream`",
                "FEFFFFFFFFFFFFFFFF0161 | ends in the middle of `stream`",
                "026102 | ends in the middle of `timestamp`",
                "02610204 | ends in the middle of `values`",
                "02610204020000803F | ends in the middle of `values`",
                "02610204040000803F00 | ends in the middle of `values`",
                "02610204FEFFFF0F0000 | ends in the middle of `values`",
                "0261020401080000803F | ends in the middle of `values`",
                "0261020400 | ends in the middle of `inputs`",
                "026102040004 | `inputs` is malformed: its union has no branch 2",
                "026102040000FF | has more bytes after the end of the record",
                "02610204020000803F000000 | has more bytes after the end of the record"
            })
    void saysWhereARawMessageIsWrong(String hex, String reason) {
        TokenDecoder decoder = TokenDecoder.raw(Token.getClassSchema());

        assertThatThrownBy(() -> decoder.decode(HexFormat.of().parseHex(hex)))
                .isExactlyInstanceOf(MalformedRecordException.class)
                .hasMessage(reason);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{} | object",
                "`  {\"a\": 1}\n` | object",
                "`\uFEFF{\"a\": 1}` | object",
                "[1, 2] | array",
                "`\t[]\r\n` | array"
            })
    void recognizesJson(String text, String what) {
        byte[] message = text.getBytes(StandardCharsets.UTF_8);
        for (TokenDecoder decoder : decoders()) {
            assertThatThrownBy(() -> decoder.decode(message))
                    .isInstanceOfSatisfying(
                            MalformedRecordException.class,
                            e -> assertThat(e.kind()).isEqualTo(Kind.JSON))
                    .hasMessageEndingWith(
                            "; looks like JSON (an %s), which moe.format: json reads"
                                    .formatted(what));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "[", "{]", "a {}", "hello", "1,2,3", "\uFEFF", " ", "\"{}\""})
    void takesNoOtherTextForJson(String text) {
        byte[] message = text.getBytes(StandardCharsets.UTF_8);
        for (TokenDecoder decoder : decoders()) {
            assertThatThrownBy(() -> decoder.decode(message))
                    .isInstanceOfSatisfying(
                            MalformedRecordException.class,
                            e -> assertThat(e.kind()).isEqualTo(Kind.OTHER));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 300, 70_000, 20_000_000, Integer.MAX_VALUE})
    void recognizesConfluentsWireFormat(int id) {
        byte[] token = TokenEncoder.raw().encode("LAS", 5, 6, vector(10, 7));
        byte[] message = ByteBuffer.allocate(5 + token.length).putInt(1, id).put(5, token).array();
        for (TokenDecoder decoder : decoders()) {
            assertThatThrownBy(() -> decoder.decode(message))
                    .isInstanceOfSatisfying(
                            MalformedRecordException.class,
                            e -> assertThat(e.kind()).isEqualTo(Kind.CONFLUENT))
                    .hasMessageEndingWith(
                            "; looks like Confluent's wire format (schema id %d), which moe.format: avro-registry reads"
                                    .formatted(id));
        }
    }

    /** Its schema ids begin at 1. */
    @Test
    void takesNoZeroBytesForConfluentsWireFormat() {
        for (int length : new int[] {6, 7, 40}) {
            for (TokenDecoder decoder : decoders()) {
                assertThatThrownBy(() -> decoder.decode(new byte[length]))
                        .isInstanceOfSatisfying(
                                MalformedRecordException.class,
                                e -> assertThat(e.kind()).isEqualTo(Kind.OTHER));
            }
        }
    }

    @Test
    void recognizesTheOtherEncoding() {
        byte[] bare = TokenEncoder.raw().encode("LAS", 5, 6, vector(10, 7));
        assertThatThrownBy(() -> TokenDecoder.singleObject(List.of()).decode(bare))
                .isInstanceOfSatisfying(
                        MalformedRecordException.class,
                        e -> assertThat(e.kind()).isEqualTo(Kind.FORMAT))
                .hasMessage(
                        "not Avro single-object encoding: starts with 06 4C; looks like Avro without a"
                                + " header, which moe.format: token-raw reads");
        byte[] withHeader = TokenEncoder.singleObject().encode("LAS", 5, 6, vector(10, 7));
        assertThatThrownBy(() -> TokenDecoder.raw(Token.getClassSchema()).decode(withHeader))
                .isInstanceOfSatisfying(
                        MalformedRecordException.class,
                        e -> assertThat(e.kind()).isEqualTo(Kind.FORMAT))
                .hasMessage(
                        "`stream` is malformed: its length is -98; looks like Avro's single-object"
                                + " encoding, which moe.format: token reads");
    }

    private static List<TokenDecoder> decoders() {
        return List.of(
                TokenDecoder.singleObject(List.of()), TokenDecoder.raw(Token.getClassSchema()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0261020401FFFFFFFFFFFFFFFFFF01", // a block of -Long.MIN_VALUE items
                "02610204FEFFFFFFFFFFFFFFFF01", // a block of Long.MAX_VALUE items
                "0261FFFFFFFFFFFFFFFFFFFF01" // a number of eleven bytes
            })
    void refusesNumbersOutOfRange(String hex) {
        TokenDecoder decoder = TokenDecoder.raw(Token.getClassSchema());

        assertThatThrownBy(() -> decoder.decode(HexFormat.of().parseHex(hex)))
                .isExactlyInstanceOf(MalformedRecordException.class);
    }

    /** The character that Java would put there is one. */
    @Test
    void refusesTextsThatAreNoUtf8() throws Exception {
        TokenDecoder decoder = TokenDecoder.raw(Token.getClassSchema());
        decoder.decode(TokenEncoder.raw().encode("\ufffd", 5, 6, vector(2, 4)));
        assertThat(decoder.stream()).isEqualTo("\ufffd");
        byte[] message = TokenEncoder.raw().encode("LAS", 5, 6, vector(2, 4));
        message[2] = (byte) 0xff;

        assertThatThrownBy(() -> decoder.decode(message))
                .isExactlyInstanceOf(MalformedRecordException.class)
                .hasMessage("`stream` is malformed: it is no UTF-8");
    }

    @Test
    void refusesBranchesThatAUnionDoesNotHave() throws Exception {
        Schema schema =
                token(
                        "{\"name\": \"stream\", \"type\": [\"null\", \"string\"]}",
                        POSITION,
                        TIMESTAMP,
                        VALUES);
        TokenDecoder decoder = TokenDecoder.raw(schema);

        assertThatThrownBy(() -> decoder.decode(HexFormat.of().parseHex("040261020400")))
                .isExactlyInstanceOf(MalformedRecordException.class)
                .hasMessage("`stream` is malformed: its union has no branch 2");
    }

    @Test
    void survivesDeepNesting() {
        byte[] message = new byte[4_000_000];
        Arrays.fill(message, (byte) 0x02); // Tree: label of one byte, then the branch Tree
        Schema schema =
                token(
                        """
                        {"name": "tree", "type": {"type": "record", "name": "Tree", "fields": [
                          {"name": "next", "type": ["null", "Tree"]}]}}
                        """,
                        STREAM,
                        POSITION,
                        TIMESTAMP,
                        VALUES);

        assertThatThrownBy(() -> TokenDecoder.raw(schema).decode(message))
                .isExactlyInstanceOf(MalformedRecordException.class)
                .hasMessage("`tree` is nested too deeply");
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void everyMutationIsReadOrRefusedAsMalformed(long seed) throws Exception {
        Random random = new Random(seed);
        byte[][] seeds = {
            Avro.singleObject(rich("LAX", vector(20, 5))),
            TokenEncoder.singleObject().encode("JFK", 5, 6, vector(20, 6))
        };
        TokenDecoder single = TokenDecoder.singleObject(List.of(RICH));
        TokenDecoder raw = TokenDecoder.raw(RICH);
        int refused = 0;
        for (int round = 0; round < 20_000; round++) {
            byte[] message = mutate(seeds[round % 2], random);
            refused += isRefused(single, message) ? 1 : 0;
            byte[] body = Arrays.copyOfRange(message, Math.min(10, message.length), message.length);
            refused += isRefused(raw, body) ? 1 : 0;
        }
        assertThat(refused).isBetween(1000, 39_999);

        single.decode(seeds[0]);
        assertToken(single, "LAX", 8, 99, vector(20, 5));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "stream | has no field `stream`",
                "position | has no field `position`",
                "timestamp | has no field `timestamp`",
                "values | has no field `values` or `inputs`"
            })
    void refusesSchemasThatLackAField(String missing, String reason) {
        String[] fields =
                Map.of(
                                "stream",
                                STREAM,
                                "position",
                                POSITION,
                                "timestamp",
                                TIMESTAMP,
                                "values",
                                VALUES)
                        .entrySet()
                        .stream()
                        .filter(e -> !e.getKey().equals(missing))
                        .map(Map.Entry::getValue)
                        .toArray(String[]::new);

        assertThatThrownBy(() -> TokenDecoder.singleObject(List.of(token(fields))))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("schema test.T %s; a token needs ", reason);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "stream | \"bytes\" | field `stream` is bytes; a token needs string",
                "stream | [\"string\", \"long\"] | field `stream` is union of string, long; a token"
                        + " needs string",
                "position | \"int\" | field `position` is int; a token needs long",
                "timestamp | {\"type\": \"long\", \"logicalType\": \"timestamp-micros\"} | field"
                        + " `timestamp` is long (timestamp-micros); a token needs long, with the"
                        + " logical type timestamp-millis or none",
                "values | {\"type\": \"array\", \"items\": \"double\"} | field `values` is array of"
                        + " double; a token needs array of float",
                "more | {\"type\": \"array\", \"items\": \"null\"} | field `more` is array of null; a"
                        + " token needs arrays whose items take at least a byte"
            })
    void refusesFieldsOfAnotherType(String field, String type, String reason) {
        String other = "{\"name\": \"%s\", \"type\": %s}".formatted(field, type);
        String[] fields = {
            field.equals("stream") ? other : STREAM,
            field.equals("position") ? other : POSITION,
            field.equals("timestamp") ? other : TIMESTAMP,
            field.equals("values") ? other : VALUES,
            field.equals("more") ? other : "{\"name\": \"more\", \"type\": \"int\"}"
        };

        assertThatThrownBy(() -> TokenDecoder.raw(token(fields)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("schema test.T: " + reason);
    }

    @Test
    void refusesSchemasThatAreNoRecord() {
        assertThatThrownBy(() -> TokenDecoder.raw(Schema.create(Schema.Type.STRING)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("schema string: a token is a record");
    }

    private static final String STREAM = "{\"name\": \"stream\", \"type\": \"string\"}";
    private static final String POSITION = "{\"name\": \"position\", \"type\": \"long\"}";
    private static final String TIMESTAMP = "{\"name\": \"timestamp\", \"type\": \"long\"}";
    private static final String VALUES =
            "{\"name\": \"values\", \"type\": {\"type\": \"array\", \"items\": \"float\"}}";

    private static Schema token(String... fields) {
        return new Schema.Parser()
                .parse(
                        "{\"type\": \"record\", \"name\": \"T\", \"namespace\": \"test\", \"fields\": [%s]}"
                                .formatted(String.join(", ", fields)));
    }

    private static GenericRecord rich(String stream, float[] values) {
        Schema tree = RICH.getField("tree").schema();
        GenericRecord leaf = new GenericData.Record(tree);
        leaf.put("label", "leaf");
        GenericRecord root = new GenericData.Record(tree);
        root.put("label", "root");
        root.put("next", leaf);
        GenericRecord record = new GenericData.Record(RICH);
        record.put("id", new GenericData.Fixed(RICH.getField("id").schema(), new byte[16]));
        record.put("values", boxed(values));
        record.put("tags", Map.of("one", "1", "two", "2"));
        record.put("stream", stream);
        record.put("note", ByteBuffer.wrap(new byte[] {1, 2, 3}));
        record.put("timestamp", 99L);
        record.put("tree", root);
        record.put("position", 8L);
        record.put("ints", List.of(1, 2, 3));
        return record;
    }

    private static byte[] mutate(byte[] seed, Random random) {
        byte[] message = seed.clone();
        for (int i = random.nextInt(4); i >= 0; i--) {
            int at = random.nextInt(message.length);
            switch (random.nextInt(3)) {
                case 0 -> message[at] = (byte) random.nextInt();
                case 1 -> message[at] ^= (byte) (1 << random.nextInt(8));
                default -> message[at] = (byte) (random.nextBoolean() ? 0xFF : 0x01);
            }
        }
        return random.nextInt(4) == 0
                ? Arrays.copyOf(message, random.nextInt(message.length + 8))
                : message;
    }

    private static boolean isRefused(TokenDecoder decoder, byte[] message) {
        try {
            decoder.decode(message);
            return false;
        } catch (MalformedRecordException e) {
            assertThat(e.getMessage()).isNotBlank().doesNotContain("null");
            return true;
        }
    }

    private static void assertToken(
            TokenDecoder decoder, String stream, long position, long timestamp, float[] values) {
        assertThat(decoder.stream()).isEqualTo(stream);
        assertThat(decoder.position()).isEqualTo(position);
        assertThat(decoder.timestamp()).isEqualTo(timestamp);
        assertThat(decoder.values()).isEqualTo(values);
    }

    private static float[] vector(int width, long seed) {
        Random random = new Random(seed);
        float[] values = new float[width];
        for (int i = 0; i < width; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static List<Float> boxed(float[] values) {
        List<Float> boxed = new ArrayList<>(values.length);
        for (float value : values) {
            boxed.add(value);
        }
        return boxed;
    }
}
