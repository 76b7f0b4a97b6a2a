// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.schemas;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.avro.message.MissingSchemaException;
import org.apache.avro.specific.SpecificData;
import org.apache.avro.specific.SpecificDatumReader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Schemas of this release beside those of another, whose writers and readers are Avro's own. */
class SchemaEvolutionTest {

    private static final float[] VALUES = {1.5f, -0f, 3};

    /** Where the field stands that a later release has. */
    @ParameterizedTest
    @ValueSource(ints = {0, 2, 4})
    void thisReleaseReadsTokensOfALaterOne(int place) throws Exception {
        Schema later = withOneMore(Token.getClassSchema(), place);
        byte[] single = Avro.singleObject(laterToken(later));
        byte[] raw = Avro.raw(laterToken(later));

        TokenDecoder ofSingle = TokenDecoder.singleObject(List.of(later));
        ofSingle.decode(single);
        assertToken(ofSingle);
        ofSingle.decode(TokenEncoder.singleObject().encode("JFK", 7, 8, VALUES));
        assertToken(ofSingle);
        TokenDecoder ofRaw = TokenDecoder.raw(later);
        ofRaw.decode(raw);
        assertToken(ofRaw);
    }

    @Test
    void thisReleaseSaysWhichSchemaItLacks() throws Exception {
        Schema later = withOneMore(Token.getClassSchema(), 4);
        byte[] single = Avro.singleObject(laterToken(later));

        assertThatThrownBy(() -> TokenDecoder.singleObject(List.of()).decode(single))
                .isExactlyInstanceOf(MalformedRecordException.class)
                .hasMessage(
                        "unknown schema fingerprint %016x; give its schema with moe.schema",
                        SingleObject.fingerprint(later));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 2, 4})
    void aLaterReleaseReadsTokensOfThisOne(int place) throws Exception {
        Schema later = withOneMore(Token.getClassSchema(), place);
        byte[] single = TokenEncoder.singleObject().encode("JFK", 7, 8, VALUES);
        byte[] raw = TokenEncoder.raw().encode("JFK", 7, 8, VALUES);

        for (GenericRecord token :
                List.of(
                        readSingle(single, Token.getClassSchema(), later),
                        readRaw(raw, Token.getClassSchema(), later))) {
            assertThat(token.get("stream")).hasToString("JFK");
            assertThat(token.get("position")).isEqualTo(7L);
            assertThat(token.get("values")).isEqualTo(List.of(1.5f, -0f, 3f));
            assertThat(token.get("more")).isEqualTo(-1);
        }
    }

    /** The generated classes of this release, in a program that knows the later schema. */
    @Test
    void theClassesOfThisReleaseReadTokensOfALaterOne() throws Exception {
        Schema later = withOneMore(Token.getClassSchema(), 1);
        BinaryMessageDecoder<Token> single =
                new BinaryMessageDecoder<>(new SpecificData(), Token.getClassSchema());
        single.addSchema(later);
        SpecificDatumReader<Token> raw = new SpecificDatumReader<>(later, Token.getClassSchema());

        for (Token token :
                List.of(
                        single.decode(Avro.singleObject(laterToken(later))),
                        raw.read(
                                null,
                                DecoderFactory.get()
                                        .binaryDecoder(Avro.raw(laterToken(later)), null)))) {
            assertThat(token.getStream()).isEqualTo("JFK");
            assertThat(token.getPosition()).isEqualTo(7);
            assertThat(token.getTimestamp()).isEqualTo(Instant.ofEpochMilli(8));
            assertThat(token.getValues()).containsExactly(1.5f, -0f, 3f);
        }
    }

    @Test
    void answersOfThisReleaseAreReadByALaterAndByAnEarlierOne() throws Exception {
        Schema own = ScoredToken.getClassSchema();
        Schema later = withOneMore(own, 3);
        Schema earlier = without(own, "modelVersion");
        byte[] single = Avro.singleObject(answer());
        byte[] raw = Avro.raw(answer());

        for (Schema reader : List.of(later, earlier)) {
            for (GenericRecord answer :
                    List.of(readSingle(single, own, reader), readRaw(raw, own, reader))) {
                assertThat(answer.get("stream")).hasToString("JFK");
                assertThat(answer.get("values")).isEqualTo(List.of(0.25f));
                assertThat(answer.hasField("more")).isEqualTo(reader == later);
                assertThat(answer.hasField("modelVersion")).isEqualTo(reader == later);
            }
        }
        assertThatThrownBy(
                        () -> new BinaryMessageDecoder<>(GenericData.get(), earlier).decode(single))
                .isInstanceOf(MissingSchemaException.class);
    }

    @Test
    void deadLettersOfThisReleaseAreReadByALaterAndByAnEarlierOne() throws Exception {
        Schema own = DeadLetter.getClassSchema();
        Schema later = withOneMore(own, 3);
        Schema earlier = without(own, "kind");
        byte[] single = Avro.singleObject(tombstone());
        byte[] raw = Avro.raw(tombstone());

        for (Schema reader : List.of(later, earlier)) {
            for (GenericRecord letter :
                    List.of(readSingle(single, own, reader), readRaw(raw, own, reader))) {
                assertThat(letter.get("key")).isEqualTo(ByteBuffer.wrap(new byte[] {5}));
                assertThat(letter.get("value")).isNull();
                assertThat(letter.get("timestamp")).isEqualTo(8L);
                assertThat(letter.get("headers")).asString().contains("trace");
                assertThat(letter.get("offset")).isEqualTo(42L);
                assertThat(letter.hasField("more")).isEqualTo(reader == later);
                assertThat(letter.hasField("kind")).isEqualTo(reader == later);
            }
        }
    }

    /** A missing value is null and an empty one is empty, also for a reader of this release. */
    @Test
    void missingAndEmptyValuesOfDeadLettersAreDifferent() throws Exception {
        DeadLetter empty =
                DeadLetter.newBuilder(tombstone()).setValue(ByteBuffer.allocate(0)).build();

        assertThat(Avro.read(Avro.raw(tombstone()), DeadLetter.class)).isEqualTo(tombstone());
        assertThat(Avro.read(Avro.raw(empty), DeadLetter.class)).isEqualTo(empty);
        assertThat(Avro.raw(empty)).isNotEqualTo(Avro.raw(tombstone()));
    }

    private static DeadLetter tombstone() {
        return DeadLetter.newBuilder()
                .setKey(ByteBuffer.wrap(new byte[] {5}))
                .setHeaders(List.of(new Header("trace", ByteBuffer.wrap(new byte[] {1}))))
                .setTimestamp(Instant.ofEpochMilli(8))
                .setTopic("in")
                .setPartition(3)
                .setOffset(42)
                .setKind("no-value")
                .setReason("the record has no value (a tombstone)")
                .build();
    }

    private static void assertToken(TokenDecoder decoder) {
        assertThat(decoder.stream()).isEqualTo("JFK");
        assertThat(decoder.position()).isEqualTo(7);
        assertThat(decoder.timestamp()).isEqualTo(8);
        assertThat(decoder.values()).isEqualTo(VALUES);
    }

    private static GenericRecord laterToken(Schema later) {
        GenericRecord token = new GenericData.Record(later);
        token.put("stream", "JFK");
        token.put("position", 7L);
        token.put("timestamp", 8L);
        token.put("values", List.of(1.5f, -0f, 3f));
        token.put("more", 99);
        return token;
    }

    private static ScoredToken answer() {
        ScoredToken answer = new ScoredToken();
        answer.put("stream", "JFK");
        answer.put("timestamp", Instant.EPOCH);
        answer.put("values", List.of(0.25f));
        answer.put("modelVersion", "v1");
        answer.put("layers", List.of());
        return answer;
    }

    private static GenericRecord readSingle(byte[] single, Schema writer, Schema reader)
            throws Exception {
        BinaryMessageDecoder<GenericRecord> decoder =
                new BinaryMessageDecoder<>(GenericData.get(), reader);
        decoder.addSchema(writer);
        return decoder.decode(ByteBuffer.wrap(single));
    }

    private static GenericRecord readRaw(byte[] raw, Schema writer, Schema reader)
            throws Exception {
        return new GenericDatumReader<GenericRecord>(writer, reader)
                .read(null, DecoderFactory.get().binaryDecoder(raw, null));
    }

    /** The schema with an int {@code more}, -1 by default, at some place. */
    private static Schema withOneMore(Schema schema, int place) {
        List<Schema.Field> fields = copy(schema.getFields());
        fields.add(place, new Schema.Field("more", SchemaBuilder.builder().intType(), "later", -1));
        return Schema.createRecord(schema.getName(), null, schema.getNamespace(), false, fields);
    }

    private static Schema without(Schema schema, String field) {
        List<Schema.Field> fields = copy(schema.getFields());
        fields.removeIf(f -> f.name().equals(field));
        return Schema.createRecord(schema.getName(), null, schema.getNamespace(), false, fields);
    }

    /** A field belongs to one schema. */
    private static List<Schema.Field> copy(List<Schema.Field> fields) {
        List<Schema.Field> copies = new ArrayList<>();
        for (Schema.Field field : fields) {
            copies.add(new Schema.Field(field, field.schema()));
        }
        return copies;
    }
}
