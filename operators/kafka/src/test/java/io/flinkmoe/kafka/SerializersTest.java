// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Decision;
import io.flinkmoe.api.ScoredToken;
import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.schemas.Choice;
import io.flinkmoe.schemas.LayerDecision;
import java.nio.ByteBuffer;
import java.time.Instant;
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

    private static final DeadLetter LETTER = new DeadLetter(new byte[] {1, 2}, "in", 3, 42, "why");

    @Test
    void writesScoredTokensUnderTheirStream() throws Exception {
        ProducerRecord<byte[], byte[]> record =
                serialize(new ScoredTokenSerializer("out", RecordFormat.AVRO), SCORED);

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
                                "v1",
                                List.of(
                                        new LayerDecision(
                                                List.of(
                                                        choice(3, 0.75f, "EXECUTED"),
                                                        choice(1, 0.25f, "LATE"))))));
    }

    @Test
    void writesDeadLettersWithoutAKey() throws Exception {
        ProducerRecord<byte[], byte[]> record =
                serialize(new DeadLetterSerializer("dead", RecordFormat.AVRO, 100), LETTER);

        assertThat(record.topic()).isEqualTo("dead");
        assertThat(record.key()).isNull();
        assertThat(record.timestamp()).isNull();
        assertThat(io.flinkmoe.schemas.DeadLetter.fromByteBuffer(ByteBuffer.wrap(record.value())))
                .isEqualTo(
                        new io.flinkmoe.schemas.DeadLetter(
                                ByteBuffer.wrap(new byte[] {1, 2}), "in", 3, 42L, "why"));
    }

    @ParameterizedTest
    @EnumSource
    void aTokenOfWhichNoRecordIsLeftIsWrittenAnew(RecordFormat format) throws Exception {
        Token token = new Token("s", 5, 6, new float[] {1, 2});
        byte[] value =
                serialize(
                                new DeadLetterSerializer("dead", format, 100),
                                DeadLetter.of(token, "cannot be read"))
                        .value();

        byte[] record = serialize(new TokenSerializer("in", format), token).value();
        assertThat(value).containsSequence(record);
    }

    @Test
    void aRecordThatIsTooLargeForAMessageIsCut() throws Exception {
        DeadLetter large = new DeadLetter(new byte[101], "in", 3, 42, "y".repeat(5_000));
        byte[] value =
                serialize(new DeadLetterSerializer("dead", RecordFormat.AVRO, 100), large).value();

        io.flinkmoe.schemas.DeadLetter read =
                io.flinkmoe.schemas.DeadLetter.fromByteBuffer(ByteBuffer.wrap(value));
        assertThat(read.getRecord().remaining()).isEqualTo(100);
        assertThat(read.getOffset()).isEqualTo(42L);
        assertThat(read.getReason())
                .startsWith("yyy")
                .endsWith("y; truncated to the first 100 of 101 bytes because of max.request.size")
                .hasSizeLessThan(2_200);
    }

    @Test
    void rawIsTheSameWithoutTheHeader() throws Exception {
        byte[] scored =
                serialize(new ScoredTokenSerializer("out", RecordFormat.AVRO), SCORED).value();
        byte[] letter =
                serialize(new DeadLetterSerializer("out", RecordFormat.AVRO, 100), LETTER).value();

        assertThat(serialize(new ScoredTokenSerializer("out", RecordFormat.RAW), SCORED).value())
                .isEqualTo(Arrays.copyOfRange(scored, 10, scored.length));
        assertThat(
                        serialize(new DeadLetterSerializer("out", RecordFormat.RAW, 100), LETTER)
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
        return new Choice(expert, weight, io.flinkmoe.schemas.Outcome.valueOf(outcome));
    }

    /** As a task does: from the serialized form. The stream record's timestamp is not used. */
    private static <T> ProducerRecord<byte[], byte[]> serialize(
            KafkaRecordSerializationSchema<T> serializer, T element) throws Exception {
        KafkaRecordSerializationSchema<T> copy = InstantiationUtil.clone(serializer);
        copy.open(null, null);
        return copy.serialize(element, null, 1234L);
    }
}
