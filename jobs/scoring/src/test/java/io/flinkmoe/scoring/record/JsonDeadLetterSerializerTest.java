// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.api.DeadLetter;
import io.flinkmoe.api.Origin;
import io.flinkmoe.api.RawRecord;
import io.flinkmoe.api.Rejection;
import io.flinkmoe.api.Token;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.junit.jupiter.api.Test;

class JsonDeadLetterSerializerTest {

    private static final int MAX_BYTES = 10_000;
    private static final Origin ORIGIN = new Origin("in", 3, 17);
    private static final Rejection REASON = new Rejection(Rejection.Kind.INPUT, "geo.x is \"7\"");

    @Test
    void textsStayTexts() throws Exception {
        ProducerRecord<byte[], byte[]> record =
                serialize(
                        new RawRecord(
                                "käy".getBytes(UTF_8),
                                "{\"a\": 1}".getBytes(UTF_8),
                                List.of(
                                        new RawRecord.Header("trace", "t".getBytes(UTF_8)),
                                        new RawRecord.Header("none", null)),
                                1_234));

        assertThat(new String(record.key(), UTF_8)).isEqualTo("in-3-17");
        assertThat(new String(record.value(), UTF_8))
                .isEqualTo(
                        "{\"kind\":\"input\",\"reason\":\"geo.x is \\\"7\\\"\",\"topic\":\"in\",\"partition\":3,\"offset\":17,\"timestamp\":1234,"
                                + "\"key\":\"käy\",\"value\":\"{\\\"a\\\": 1}\",\"headers\":[{\"key\":\"trace\",\"value\":\"t\"},{\"key\":\"none\",\"value\":null}]}");
    }

    @Test
    void bytesAreInBase64() throws Exception {
        byte[] bytes = {0, (byte) 0xff, 'a'};
        JsonNode letter =
                json(new RawRecord(bytes, bytes, List.of(new RawRecord.Header("h", bytes)), -1));

        String encoded = Base64.getEncoder().encodeToString(bytes);
        assertThat(letter.path("key_base64").asText()).isEqualTo(encoded);
        assertThat(letter.path("value_base64").asText()).isEqualTo(encoded);
        assertThat(letter.path("headers").path(0).path("value_base64").asText()).isEqualTo(encoded);
        assertThat(letter.path("timestamp").isNull()).isTrue();
        assertThat(letter.has("key") || letter.has("value")).isFalse();
    }

    /** Each control character has six bytes in JSON. */
    @Test
    void whatItsEscapesMakeTooLongIsInBase64() throws Exception {
        byte[] value = new byte[6_000];
        Arrays.fill(value, (byte) 1);

        JsonNode letter = json(RawRecord.of(value));

        assertThat(Base64.getDecoder().decode(letter.path("value_base64").asText()))
                .isEqualTo(value);
    }

    @Test
    void whatIsTooLongIsCut() throws Exception {
        byte[] value = new byte[3 * MAX_BYTES];
        Arrays.fill(value, (byte) '"');

        ProducerRecord<byte[], byte[]> record = serialize(RawRecord.of(value));

        assertThat(record.value().length).isLessThan(MAX_BYTES + 1_000);
        JsonNode letter = new ObjectMapper().readTree(record.value());
        assertThat(letter.path("reason").asText()).endsWith("value to 7500 of 30000 bytes");
        assertThat(Base64.getDecoder().decode(letter.path("value_base64").asText()))
                .isEqualTo(Arrays.copyOf(value, 7_500));
    }

    @Test
    void aTokenHasItsInputs() throws Exception {
        Token token = new Token("card", 7, 8, new float[] {1.5f, -2});
        ProducerRecord<byte[], byte[]> record =
                open(MAX_BYTES).serialize(DeadLetter.of(ORIGIN, token, REASON), null, null);

        assertThat(new ObjectMapper().readTree(record.value()).path("token"))
                .isEqualTo(
                        new ObjectMapper()
                                .readTree(
                                        "{\"stream\":\"card\",\"position\":7,\"timestamp\":8,\"inputs\":[1.5,-2.0]}"));
    }

    private static JsonNode json(RawRecord record) throws Exception {
        return new ObjectMapper().readTree(serialize(record).value());
    }

    private static ProducerRecord<byte[], byte[]> serialize(RawRecord record) {
        return open(MAX_BYTES).serialize(DeadLetter.of(ORIGIN, record, REASON), null, null);
    }

    private static JsonDeadLetterSerializer open(int maxBytes) {
        JsonDeadLetterSerializer serializer = new JsonDeadLetterSerializer("dead", maxBytes);
        serializer.open(null, null);
        return serializer;
    }
}
