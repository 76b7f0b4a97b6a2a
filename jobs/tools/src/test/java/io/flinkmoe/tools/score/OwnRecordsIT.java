// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.kafka.pinned.PinnedSchemas;
import io.flinkmoe.tools.score.FlightsReference.Scored;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericRecord;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** The scoring job with users' own records: JSON, Avro, and Avro with a real registry. */
class OwnRecordsIT {

    private static final int RECORDS = 10_000;
    private static final ObjectMapper JSON = new ObjectMapper();

    @RegisterExtension static final MiniClusterExtension CLUSTER = TestJob.cluster();

    @TempDir static Path dir;

    private static RecordJobs jobs;

    @BeforeAll
    static void start() throws Exception {
        jobs = RecordJobs.open(dir);
    }

    @AfterAll
    static void stop() throws Exception {
        if (jobs != null) {
            jobs.close();
        }
    }

    /** What an answer has, whichever format it is in. */
    private record Answer(
            String id, BigDecimal price, int gone, String version, Scored scored, String trace) {}

    @Test
    void jsonAndEvolvingAvroHaveTheSameAnswersAndTheRegistryMayGoAway() throws Exception {
        scores("short", Duration.ofSeconds(5));
    }

    @Test
    @Tag("slow")
    void theRegistryMayGoAwayForAMinute() throws Exception {
        scores("long", Duration.ofSeconds(60));
    }

    /** 10,000 records in each format; the schema evolves in the middle. */
    private static void scores(String name, Duration outage) throws Exception {
        String avro = name + "-avro";
        String json = name + "-json";
        int first = jobs.register(avro + "-in-value", Payments.FIRST);
        Configuration avroOptions = jobs.registryOptions(avro);
        Configuration jsonOptions = jobs.options(json, "json");
        for (Configuration options : List.of(avroOptions, jsonOptions)) {
            options.setString("moe.record.choices", "true");
        }
        JobClient ofAvro = RecordJobs.start(avroOptions);
        JobClient ofJson = RecordJobs.start(jsonOptions);

        jobs.send(json, 0, RECORDS, Payments::json);
        jobs.send(avro, 0, RECORDS / 2, n -> Payments.avro(n, Payments.FIRST, first));
        RecordJobs.await(() -> jobs.count(avro) == RECORDS / 2);
        int second = jobs.register(avro + "-in-value", Payments.SECOND);
        assertThat(jobs.register(name + "-other-value", Payments.SECOND))
                .as("one schema under two subjects")
                .isEqualTo(second);
        jobs.gate().answer(503);
        int before = jobs.gate().requests();
        jobs.send(avro, RECORDS / 2, RECORDS, n -> Payments.avro(n, Payments.SECOND, second));
        int checkpoints = RecordJobs.checkpoints(avro);
        Thread.sleep(outage.toMillis());
        assertThat(RecordJobs.checkpoints(avro) - checkpoints)
                .as("checkpoints during the outage")
                .isGreaterThan((int) outage.toSeconds());
        assertThat(jobs.gate().requests()).as("requests during the outage").isGreaterThan(before);
        assertThat(jobs.count(avro)).isEqualTo(RECORDS / 2);
        jobs.gate().answer(0);
        RecordJobs.await(() -> jobs.count(avro) == RECORDS);
        RecordJobs.await(() -> jobs.count(json) == RECORDS);
        ofAvro.cancel().get();
        ofJson.cancel().get();

        assertThat(jobs.read(avro + "-dead")).isEmpty();
        assertThat(jobs.read(json + "-dead")).isEmpty();
        FlightsReference reference = new FlightsReference(jobs.bundle(), RECORDS);
        Map<Integer, Answer> answers = avroAnswers(avro);
        Map<Integer, Answer> ofTexts = jsonAnswers(json);
        assertThat(answers).hasSize(RECORDS);
        assertThat(ofTexts).hasSize(RECORDS);
        for (int n = 0; n < RECORDS; n++) {
            Answer answer = ofTexts.get(n);
            assertThat(answer.id()).isEqualTo(Payments.card(n));
            assertThat(answer.price()).isEqualTo(Payments.price(n));
            assertThat(answer.gone()).isEqualTo(n);
            assertThat(answer.trace()).isEqualTo("trace-" + n);
            assertThat(answer.scored()).isEqualTo(reference.scored(n));
            // What the second schema has no longer has the first one's default.
            int gone = n < RECORDS / 2 ? n : 7;
            assertThat(answers.get(n))
                    .isEqualTo(
                            new Answer(
                                    answer.id(),
                                    answer.price(),
                                    gone,
                                    answer.version(),
                                    answer.scored(),
                                    answer.trace()));
        }
    }

    @Test
    void aSavepointKeepsItsSchemaUntilAnotherOneIsAskedFor() throws Exception {
        String name = "pinned";
        int first = jobs.register(name + "-in-value", Payments.FIRST);
        Configuration options = jobs.registryOptions(name);
        options.setString("moe.record.keep", "all");
        JobClient job = RecordJobs.start(options);
        jobs.send(name, 0, 10, n -> Payments.avro(n, Payments.FIRST, first));
        RecordJobs.await(() -> jobs.count(name) == 10);
        int second = jobs.register(name + "-in-value", Payments.SECOND);

        for (int round = 1; round <= 2; round++) {
            options.setString("execution.state-recovery.path", jobs.savepoint(job));
            assertThat(RecordJobs.plan(options).get(PinnedSchemas.VALUE).orElseThrow().origin())
                    .isEqualTo("version 1 of subject pinned-in-value, as in the savepoint");
            job = RecordJobs.start(options);
            jobs.send(
                    name,
                    10 * round,
                    10 * round + 10,
                    n -> Payments.avro(n, Payments.SECOND, second));
            int all = 10 * round + 10;
            RecordJobs.await(() -> jobs.count(name) == all);
        }
        options.setString("execution.state-recovery.path", jobs.savepoint(job));
        options.setString("moe.record.schema", "2");
        job = RecordJobs.start(options);
        jobs.send(name, 30, 40, n -> Payments.avro(n, Payments.SECOND, second));
        RecordJobs.await(() -> jobs.count(name) == 40);
        job.cancel().get();

        assertThat(jobs.read(name + "-dead")).isEmpty();
        Map<Integer, GenericRecord> answers = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : jobs.read(name + "-out")) {
            GenericRecord answer = jobs.decode(record.value());
            answers.put((Integer) answer.get("n"), answer);
        }
        for (int n = 0; n < 40; n++) {
            GenericRecord answer = answers.get(n);
            assertThat(answer.getSchema().getFullName()).isEqualTo("pay.PaymentAnswer");
            if (n < 30) {
                assertThat(answer.get("gone")).isEqualTo(n < 10 ? n : 7);
                assertThat(answer.getSchema().getField("extra")).isNull();
            } else {
                assertThat(answer.get("extra")).hasToString("more-" + n);
            }
        }
    }

    @Test
    void aBadRecordIsADeadLetterInJson() throws Exception {
        JobClient job = RecordJobs.start(jobs.options("bad", "json"));
        jobs.send("bad", 0, 1, n -> "{\"n\": 1, \"card\": {}}".getBytes(UTF_8));
        jobs.send("bad", 1, 2, n -> new byte[] {0, (byte) 0xfe});
        RecordJobs.await(() -> jobs.read("bad-dead").size() == 2);
        job.cancel().get();

        List<JsonNode> letters = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : jobs.read("bad-dead")) {
            letters.add(JSON.readTree(record.value()));
        }
        letters.sort((a, b) -> Boolean.compare(a.has("value_base64"), b.has("value_base64")));
        assertThat(letters.get(0).path("value").asText()).isEqualTo("{\"n\": 1, \"card\": {}}");
        assertThat(letters.get(0).path("kind").asText()).isEqualTo("stream");
        assertThat(letters.get(0).path("reason").asText()).contains("card.id is missing");
        assertThat(letters.get(0).path("headers").path(0).path("value").asText())
                .isEqualTo("trace-0");
        assertThat(letters.get(1).path("value_base64").asText()).isEqualTo("AP4=");
    }

    @Test
    void avroWithoutARegistryHasItsSchemasInFiles() throws Exception {
        Path file = java.nio.file.Files.writeString(dir.resolve("a.avsc"), "" + Payments.FIRST);
        Configuration options = jobs.options("plain", "avro");
        options.setString("moe.record.schema", file.toString());
        Schema schema =
                new Schema.Parser()
                        .parse(
                                RecordJobs.plan(options)
                                        .get(PinnedSchemas.ANSWER)
                                        .orElseThrow()
                                        .schema());
        JobClient job = RecordJobs.start(options);
        jobs.send("plain", 0, 10, n -> Payments.avro(n, Payments.FIRST));
        RecordJobs.await(() -> jobs.count("plain") == 10);
        job.cancel().get();

        for (ConsumerRecord<byte[], byte[]> record : jobs.read("plain-out")) {
            GenericRecord answer = RecordJobs.decode(record.value(), 0, schema);
            int n = (Integer) answer.get("n");
            assertThat(answer.get("gone")).isEqualTo(n);
            assertThat(answer.get("id")).hasToString(Payments.card(n));
        }
    }

    @Test
    @Tag("slow")
    void anUnknownSchemaIsADeadLetterAfterHalfAMinute() throws Exception {
        jobs.register("unknown-in-value", Payments.FIRST);
        JobClient job = RecordJobs.start(jobs.registryOptions("unknown"));
        long begin = System.nanoTime();
        jobs.send("unknown", 0, 1, n -> Payments.avro(n, Payments.FIRST, 987_654));
        RecordJobs.await(() -> jobs.read("unknown-dead").size() == 1);
        assertThat(Duration.ofNanos(System.nanoTime() - begin))
                .isBetween(Duration.ofSeconds(28), Duration.ofSeconds(60));
        job.cancel().get();

        io.flinkmoe.schemas.DeadLetter letter =
                io.flinkmoe.schemas.DeadLetter.fromByteBuffer(
                        ByteBuffer.wrap(jobs.read("unknown-dead").get(0).value()));
        assertThat(letter.getKind()).isEqualTo("unknown-schema");
        assertThat(letter.getReason()).contains("987654");
    }

    @Test
    void saysBeforeItStartsWhatTheRegistryLacks() throws Exception {
        Configuration options = jobs.registryOptions("lacks");
        assertThatThrownBy(() -> RecordJobs.plan(options))
                .hasMessageStartingWith(
                        "moe.record.schema is latest: the latest version of subject lacks-in-value cannot be had");
        jobs.register("lacks-in-value", Payments.FIRST);
        options.setString("moe.registry.auto-register", "false");
        assertThatThrownBy(() -> RecordJobs.plan(options))
                .hasMessageStartingWith(
                        "moe.registry.auto-register is false, and the registry does not have the schema of the answers under the subject lacks-out-value; register it there: {\"type\":\"record\",\"name\":\"PaymentAnswer\"");
        options.setString("moe.registry.auto-register", "true");
        assertThat(RecordJobs.plan(options).get(PinnedSchemas.ANSWER).orElseThrow().id())
                .isEqualTo(PinnedSchemas.Pinned.NO_ID);
        options.setString("moe.record.keep", "nothing");
        assertThatThrownBy(() -> RecordJobs.plan(options))
                .hasMessageStartingWith("moe.record: nothing");
        options.setString("moe.registry.url", "http://localhost:1");
        assertThatThrownBy(() -> RecordJobs.plan(options))
                .hasMessageStartingWith("the schema registry does not answer: ")
                .hasMessageContaining("check moe.registry.url");
    }

    private static Map<Integer, Answer> avroAnswers(String name) throws Exception {
        Map<Integer, Answer> answers = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : jobs.read(name + "-out")) {
            GenericRecord answer = jobs.decode(record.value());
            ByteBuffer price = (ByteBuffer) answer.get("price");
            answers.put(
                    (Integer) answer.get("n"),
                    new Answer(
                            answer.get("id").toString(),
                            new BigDecimal(new BigInteger(price.array()), 2),
                            (Integer) answer.get("gone"),
                            answer.get("model_version").toString(),
                            Scored.ofAvro(answer),
                            trace(record)));
        }
        return answers;
    }

    private static Map<Integer, Answer> jsonAnswers(String name) throws Exception {
        Map<Integer, Answer> answers = new HashMap<>();
        for (ConsumerRecord<byte[], byte[]> record : jobs.read(name + "-out")) {
            String text = new String(record.value(), UTF_8);
            JsonNode answer = JSON.readTree(text);
            int n = answer.path("n").asInt();
            assertThat(text).as("the price as it was written").contains("" + Payments.price(n));
            answers.put(
                    n,
                    new Answer(
                            answer.path("id").asText(),
                            Payments.price(n),
                            answer.path("gone").asInt(),
                            answer.path("model_version").asText(),
                            Scored.ofJson(answer),
                            trace(record)));
        }
        return answers;
    }

    private static String trace(ConsumerRecord<byte[], byte[]> record) {
        return new String(record.headers().lastHeader("trace").value(), UTF_8);
    }
}
