// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.Arrival;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.DecisionRecord;
import io.flinkmoe.api.Origin;
import io.flinkmoe.api.RankedGate;
import io.flinkmoe.api.RawRecord;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.schemas.Choice;
import io.flinkmoe.schemas.ChoiceOutcome;
import io.flinkmoe.schemas.GateRanking;
import io.flinkmoe.schemas.Header;
import io.flinkmoe.schemas.LayerDecision;
import io.flinkmoe.schemas.LayerRanking;
import io.flinkmoe.schemas.RankedExpert;
import io.flinkmoe.schemas.SettledChoice;
import io.flinkmoe.schemas.TokenDecision;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.util.InstantiationUtil;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SerializersTest {

    private static final ScoredToken SCORED =
            new ScoredToken(
                    "JFK ✈",
                    7,
                    99,
                    new float[] {0.5f, 1f},
                    "v1",
                    new Decision[] {
                        new Decision(
                                new int[] {3, 1},
                                new float[] {0.75f, 0.25f},
                                new Outcome[] {Outcome.EXECUTED, Outcome.LATE})
                    });

    private static final Origin ORIGIN = new Origin("in", 3, 42);
    private static final Rejection WHY = new Rejection(Rejection.Kind.MALFORMED, "why");
    private static final DeadLetter LETTER =
            DeadLetter.of(
                    ORIGIN,
                    new RawRecord(
                            new byte[] {9},
                            new byte[] {1, 2},
                            List.of(
                                    new RawRecord.Header("trace", new byte[] {7}),
                                    new RawRecord.Header("trace", null)),
                            99),
                    WHY);

    @Test
    void writesScoredTokensUnderTheirStream() throws Exception {
        ProducerRecord<byte[], byte[]> record =
                serialize(new ScoredTokenSerializer("out", RecordFormat.TOKEN), SCORED);

        assertThat(record.topic()).isEqualTo("out");
        assertThat(record.key()).isEqualTo("JFK ✈".getBytes(UTF_8));
        assertThat(record.timestamp()).isNull();
        assertThat(record.partition()).isNull();
        assertThat(io.flinkmoe.schemas.ScoredToken.fromByteBuffer(ByteBuffer.wrap(record.value())))
                .isEqualTo(
                        new io.flinkmoe.schemas.ScoredToken(
                                "JFK ✈",
                                7L,
                                Instant.ofEpochMilli(99),
                                List.of(0.5f, 1f),
                                null,
                                "v1",
                                List.of(
                                        new LayerDecision(
                                                List.of(
                                                        choice(3, 0.75f, "EXECUTED"),
                                                        choice(1, 0.25f, "LATE"))))));
    }

    @Test
    void writesTheWeightsOfSeveralGatesAndATokenWithoutValues() throws Exception {
        ScoredToken token =
                new ScoredToken(
                        "s",
                        7,
                        99,
                        null,
                        "v1",
                        new Decision[] {
                            new Decision(
                                    new int[] {3, 1},
                                    new float[] {0.75f, 0, 0.25f, 1},
                                    new Outcome[] {Outcome.OVERFLOWED, Outcome.LATE})
                        });

        byte[] value =
                serialize(new ScoredTokenSerializer("out", RecordFormat.TOKEN), token).value();

        io.flinkmoe.schemas.ScoredToken read =
                io.flinkmoe.schemas.ScoredToken.fromByteBuffer(ByteBuffer.wrap(value));
        assertThat(read.getValues()).isNull();
        assertThat(read.getLayers().get(0).getChoices())
                .containsExactly(
                        new Choice(
                                3,
                                1f,
                                io.flinkmoe.schemas.Outcome.OVERFLOWED,
                                List.of(0.75f, 0.25f)),
                        new Choice(1, 1f, io.flinkmoe.schemas.Outcome.LATE, List.of(0f, 1f)));
    }

    @Test
    void writesADecisionWithTheRanksOfEveryGate() throws Exception {
        DecisionRecord decision =
                new DecisionRecord(
                        "s",
                        7,
                        99,
                        DecisionRecord.NO_WINDOW,
                        "v1",
                        new DecisionRecord.Layer[] {
                            new DecisionRecord.Layer(
                                    new RankedGate[] {
                                        new RankedGate(
                                                "click",
                                                new int[] {3},
                                                new float[] {0.5f},
                                                new float[] {1}),
                                        new RankedGate(
                                                "1",
                                                new int[] {1, -1},
                                                new float[] {0.25f, 0},
                                                new float[] {0.75f, 0})
                                    },
                                    new int[] {3, 1},
                                    new Outcome[] {Outcome.EXECUTED, Outcome.LATE},
                                    new int[2])
                        },
                        Arrival.NO_PARTITION);

        ProducerRecord<byte[], byte[]> record =
                serialize(new DecisionSerializer("log", RecordFormat.TOKEN), decision);

        assertThat(TokenDecision.fromByteBuffer(ByteBuffer.wrap(record.value())))
                .isEqualTo(
                        new TokenDecision(
                                "s",
                                7L,
                                Instant.ofEpochMilli(99),
                                null,
                                "v1",
                                List.of(
                                        new LayerRanking(
                                                List.of(
                                                        new GateRanking(
                                                                "click",
                                                                List.of(
                                                                        new RankedExpert(
                                                                                3, 0.5f, 1f))),
                                                        new GateRanking(
                                                                "1",
                                                                List.of(
                                                                        new RankedExpert(
                                                                                1, 0.25f, 0.75f),
                                                                        new RankedExpert(
                                                                                -1, 0f, 0f)))),
                                                List.of(
                                                        new SettledChoice(
                                                                3, ChoiceOutcome.EXECUTED, 0),
                                                        new SettledChoice(
                                                                1, ChoiceOutcome.LATE, 0))))));
    }

    @Test
    void writesDeadLettersUnderTheirOriginWithAllThatTheRecordHad() throws Exception {
        ProducerRecord<byte[], byte[]> record =
                serialize(new DeadLetterSerializer("dead", RecordFormat.TOKEN, 100), LETTER);

        assertThat(record.topic()).isEqualTo("dead");
        assertThat(record.key()).asString(UTF_8).isEqualTo("in-3-42");
        assertThat(record.timestamp()).isNull();
        assertThat(io.flinkmoe.schemas.DeadLetter.fromByteBuffer(ByteBuffer.wrap(record.value())))
                .isEqualTo(
                        new io.flinkmoe.schemas.DeadLetter(
                                ByteBuffer.wrap(new byte[] {9}),
                                ByteBuffer.wrap(new byte[] {1, 2}),
                                List.of(
                                        new Header("trace", ByteBuffer.wrap(new byte[] {7})),
                                        new Header("trace", null)),
                                Instant.ofEpochMilli(99),
                                "in",
                                3,
                                42L,
                                "malformed",
                                "why"));
    }

    @Test
    void whatARecordLacksIsNullAndWhatIsEmptyIsEmpty() throws Exception {
        io.flinkmoe.schemas.DeadLetter missing =
                letter(DeadLetter.of(ORIGIN, new RawRecord(null, null, List.of(), -1), WHY));
        io.flinkmoe.schemas.DeadLetter empty =
                letter(
                        DeadLetter.of(
                                ORIGIN,
                                new RawRecord(new byte[0], new byte[0], List.of(), 0),
                                WHY));

        assertThat(missing.getKey()).isNull();
        assertThat(missing.getValue()).isNull();
        assertThat(missing.getTimestamp()).isNull();
        assertThat(empty.getKey()).isEqualTo(ByteBuffer.allocate(0));
        assertThat(empty.getValue()).isEqualTo(ByteBuffer.allocate(0));
        assertThat(empty.getTimestamp()).isEqualTo(Instant.EPOCH);
    }

    /** On a compacted topic a record without a key fails the job. */
    @Test
    void everyDeadLetterHasAKeyOfItsOwn() throws Exception {
        Token token = new Token("s-1", 5, 6, new float[] {1});
        RawRecord record = RawRecord.of(new byte[] {1});
        List<DeadLetter> letters =
                List.of(
                        DeadLetter.of(ORIGIN, token, WHY),
                        DeadLetter.of(new Origin("in", 3, 43), token, WHY),
                        DeadLetter.of(token, WHY),
                        DeadLetter.of(new Token("s-1", 6, 6, new float[0]), WHY),
                        DeadLetter.of(new Token(null, 5, 6, null), WHY),
                        DeadLetter.of(Origin.UNKNOWN, record, WHY),
                        DeadLetter.of(Origin.UNKNOWN, RawRecord.of(null), WHY));

        List<String> keys = new ArrayList<>();
        for (DeadLetter letter : letters) {
            keys.add(key(letter));
            assertThat(key(letter)).as("the key of the same letter").isEqualTo(key(letter));
        }

        assertThat(keys).startsWith("in-3-42", "in-3-43", "s-1/5", "s-1/6", "/5");
        assertThat(keys).doesNotHaveDuplicates();
        assertThat(key(DeadLetter.of(new Token("s".repeat(5_000), 5, 6, null), WHY)))
                .isEqualTo("s".repeat(1024) + "/5");
    }

    @ParameterizedTest
    @EnumSource
    void aTokenOfWhichNoRecordIsLeftIsWrittenAnew(RecordFormat format) throws Exception {
        Token token = new Token("s", 5, 6, new float[] {1, 2});
        byte[] value =
                serialize(new DeadLetterSerializer("dead", format, 100), DeadLetter.of(token, WHY))
                        .value();

        byte[] record = serialize(new TokenSerializer("in", format), token).value();
        assertThat(value).containsSequence(record);
    }

    @Test
    void aTokenThatCannotBeWrittenHasNoValue() throws Exception {
        assertThat(letter(DeadLetter.of(new Token(null, 5, 6, new float[1]), WHY)).getValue())
                .isNull();
        assertThat(letter(DeadLetter.of(new Token("s", 5, 6, null), WHY)).getValue()).isNull();
    }

    @Test
    void aRecordThatIsTooLargeForAMessageIsCut() throws Exception {
        io.flinkmoe.schemas.DeadLetter read =
                letter(
                        DeadLetter.of(
                                ORIGIN,
                                RawRecord.of(new byte[101]),
                                new Rejection(Rejection.Kind.MALFORMED, "y".repeat(5_000))));

        assertThat(read.getValue().remaining()).isEqualTo(100);
        assertThat(read.getOffset()).isEqualTo(42L);
        assertThat(read.getReason())
                .startsWith("yyy")
                .endsWith(
                        "y; truncated to fit into a message (max.request.size,"
                                + " max.message.bytes): value to 100 of 101 bytes")
                .hasSizeLessThan(2_200);
    }

    @Test
    void keyAndHeadersThatAreTooLargeLeaveRoomForTheValue() throws Exception {
        RawRecord.Header small = new RawRecord.Header("a", new byte[5]);
        RawRecord.Header large = new RawRecord.Header("b", new byte[100]);
        RawRecord record =
                new RawRecord(new byte[200], new byte[300], List.of(small, large, small), 1);

        io.flinkmoe.schemas.DeadLetter read = letter(DeadLetter.of(ORIGIN, record, WHY));

        assertThat(read.getKey().remaining()).isEqualTo(25);
        assertThat(read.getHeaders()).hasSize(1);
        assertThat(read.getValue().remaining()).isEqualTo(57);
        assertThat(read.getReason())
                .endsWith(": key to 25 of 200 bytes, 1 of 3 headers, value to 57 of 300 bytes");
    }

    private static io.flinkmoe.schemas.DeadLetter letter(DeadLetter letter) throws Exception {
        byte[] value =
                serialize(new DeadLetterSerializer("dead", RecordFormat.TOKEN, 100), letter)
                        .value();
        return io.flinkmoe.schemas.DeadLetter.fromByteBuffer(ByteBuffer.wrap(value));
    }

    private static String key(DeadLetter letter) throws Exception {
        byte[] key =
                serialize(new DeadLetterSerializer("dead", RecordFormat.TOKEN, 100), letter).key();
        return new String(key, UTF_8);
    }

    @Test
    void rawIsTheSameWithoutTheHeader() throws Exception {
        byte[] scored =
                serialize(new ScoredTokenSerializer("out", RecordFormat.TOKEN), SCORED).value();
        byte[] letter =
                serialize(new DeadLetterSerializer("out", RecordFormat.TOKEN, 100), LETTER).value();

        assertThat(
                        serialize(new ScoredTokenSerializer("out", RecordFormat.TOKEN_RAW), SCORED)
                                .value())
                .isEqualTo(Arrays.copyOfRange(scored, 10, scored.length));
        assertThat(
                        serialize(
                                        new DeadLetterSerializer(
                                                "out", RecordFormat.TOKEN_RAW, 100),
                                        LETTER)
                                .value())
                .isEqualTo(Arrays.copyOfRange(letter, 10, letter.length));
    }

    /** The operators' outcomes are written by their code, so it must be the schema's index. */
    @Test
    void outcomesAreTheSchemas() {
        assertThat(io.flinkmoe.schemas.Outcome.getClassSchema().getEnumSymbols())
                .isEqualTo(Arrays.stream(Outcome.values()).map(Outcome::name).toList());
        assertThat(Outcome.values())
                .allSatisfy(
                        outcome -> assertThat((int) outcome.code()).isEqualTo(outcome.ordinal()));
    }

    private static Choice choice(int expert, float weight, String outcome) {
        return new Choice(expert, weight, io.flinkmoe.schemas.Outcome.valueOf(outcome), List.of());
    }

    /** As a task does: from the serialized form. The stream record's timestamp is not used. */
    private static <T> ProducerRecord<byte[], byte[]> serialize(
            KafkaRecordSerializationSchema<T> serializer, T element) throws Exception {
        KafkaRecordSerializationSchema<T> copy = InstantiationUtil.clone(serializer);
        copy.open(null, null);
        return copy.serialize(element, null, 1234L);
    }
}
