// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.column.InputRows;
import io.flinkmoe.column.TypedValues;
import io.flinkmoe.column.TypedValuesBuilder;
import io.flinkmoe.config.Draws;
import io.flinkmoe.kafka.registry.WireFormat;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.scoring.ScoringJob;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Program;
import io.flinkmoe.tools.flights.FlightsBundle;
import io.flinkmoe.tools.score.FlightsReference.Scored;
import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.EncoderFactory;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Answers to users' own records are those of the reference, whatever schema they have. */
@Tag("slow")
class OwnAnswersIT {

    private static final int RECORDS = 50;
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final Schema KEY =
            SchemaBuilder.record("Key").namespace("pay").fields().requiredString("id").endRecord();

    @RegisterExtension static final MiniClusterExtension CLUSTER = TestJob.cluster();

    @TempDir static Path dir;

    private static RecordJobs jobs;

    private static FlightsReference reference;

    @BeforeAll
    static void start() throws Exception {
        jobs = RecordJobs.open(dir);
        reference = new FlightsReference(jobs.bundle(), RECORDS);
    }

    @AfterAll
    static void stop() throws Exception {
        if (jobs != null) {
            jobs.close();
        }
    }

    @Test
    void theStreamIsAFieldOfTheKeyInJsonOrAvro() throws Exception {
        int id = jobs.register("keys-json-in-value", Payments.FIRST);
        Configuration json = jobs.registryOptions("keys-json");
        json.setString("moe.record.stream", "key.card.id");
        json.setString("moe.key.format", "json");
        int keyId = jobs.register("keys-avro-in-key", KEY);
        Configuration avro = jobs.options("keys-avro", "json");
        avro.setString("moe.record.stream", "key.id");
        avro.setString("moe.key.format", "avro-registry");
        avro.setString("moe.registry.url", jobs.registryUrl());

        List<ConsumerRecord<byte[], byte[]>> byJson =
                answers(
                        json,
                        n -> "{\"card\": {\"id\": \"k-%d\"}}".formatted(n % 3).getBytes(UTF_8),
                        n -> Payments.avro(n, Payments.FIRST, id));
        List<ConsumerRecord<byte[], byte[]>> byAvro =
                answers(avro, n -> avroKey("k-" + n % 3, keyId), Payments::json);

        for (ConsumerRecord<byte[], byte[]> record : byJson) {
            GenericRecord answer = jobs.decode(record.value());
            int n = (Integer) answer.get("n");
            assertThat(Scored.outputOf(answer)).isEqualTo(reference.output(n));
            assertThat(new String(record.key(), UTF_8)).matches("k-%d/[01]/%d".formatted(n % 3, n));
        }
        for (ConsumerRecord<byte[], byte[]> record : byAvro) {
            JsonNode answer = JSON.readTree(record.value());
            int n = answer.path("n").asInt();
            assertThat(Scored.outputOf(answer)).isEqualTo(reference.output(n));
            assertThat(new String(record.key(), UTF_8)).matches("k-%d/[01]/%d".formatted(n % 3, n));
        }
    }

    /** The other schema has other types, another order, a field more, and one less. */
    @Test
    void answersHaveTheSchemaThatIsGivenInAFileOrInTheRegistry() throws Exception {
        Schema given = given();
        Path file = Files.writeString(dir.resolve("given.avsc"), given.toString());
        Path records = Files.writeString(dir.resolve("in.avsc"), Payments.FIRST.toString());
        Configuration inFile = jobs.options("given-file", "avro");
        inFile.setString("moe.record.schema", records.toString());
        inFile.setString("moe.record.answer-schema", file.toString());
        int id = jobs.register("given-version-in-value", Payments.FIRST);
        int answerId = jobs.register("given-version-out-value", given);
        Schema later = new Schema.Parser().parse(given.toString().replace("more", "evenMore"));
        assertThat(jobs.register("given-version-out-value", later)).isNotEqualTo(answerId);
        Configuration version = jobs.registryOptions("given-version");
        version.setString("moe.record.answer-schema", "1");
        version.setString("moe.registry.auto-register", "false");

        for (ConsumerRecord<byte[], byte[]> record :
                answers(inFile, key(), n -> Payments.avro(n, Payments.FIRST))) {
            assertGiven(RecordJobs.decode(record.value(), 0, given));
        }
        for (ConsumerRecord<byte[], byte[]> record :
                answers(version, key(), n -> Payments.avro(n, Payments.FIRST, id))) {
            assertThat(RecordJobs.schemaId(record.value())).isEqualTo(answerId);
            assertGiven(jobs.decode(record.value()));
        }
    }

    private static Schema given() {
        return new Schema.Parser()
                .parse(
                        """
                        {"type": "record", "name": "Scored", "namespace": "shop", "fields": [
                          {"name": "more", "type": "string", "default": "none"},
                          {"name": "%s", "type": ["null", {"type": "array", "items": "double"}]},
                          {"name": "id", "type": "string"},
                          {"name": "n", "type": "long"}]}"""
                                .formatted(Scored.OUTPUT));
    }

    private static void assertGiven(GenericRecord answer) {
        int n = Math.toIntExact((Long) answer.get("n"));
        assertThat(answer.getSchema().getFullName()).isEqualTo("shop.Scored");
        assertThat(answer.get("more")).hasToString("none");
        assertThat(answer.get("id")).hasToString(Payments.card(n));
        assertThat(Scored.outputOf(answer)).isEqualTo(reference.output(n));
    }

    @Test
    void subjectsAreThoseOfTheStrategy() throws Exception {
        String[][] strategies = {
            {"record-name", "pay.Payment", "pay.PaymentAnswer"},
            {
                "topic-record-name",
                "topic-record-name-in-pay.Payment",
                "topic-record-name-out-pay.PaymentAnswer"
            },
        };
        for (String[] strategy : strategies) {
            int id = jobs.register(strategy[1], Payments.FIRST);
            Configuration options = jobs.registryOptions(strategy[0]);
            options.setString("moe.registry.subject-strategy", strategy[0]);
            options.setString("moe.registry.subject", strategy[1]);

            List<ConsumerRecord<byte[], byte[]>> answers =
                    answers(options, key(), n -> Payments.avro(n, Payments.FIRST, id));

            Schema registered = jobs.client().latest(strategy[2]);
            for (ConsumerRecord<byte[], byte[]> record : answers) {
                GenericRecord answer = jobs.decode(record.value());
                int n = (Integer) answer.get("n");
                assertThat(answer.getSchema()).isEqualTo(registered);
                assertThat(Scored.outputOf(answer)).isEqualTo(reference.output(n));
            }
        }
    }

    /** The model of three tasks, with origin, destination and a vector. */
    @Test
    void aFieldThatTheSchemaLacksIsMissingInEachRecord() throws Exception {
        Path path = dir.resolve("delay");
        Program program = Program.run("import", "--parts", Home.DELAY, "--output", path);
        assertThat(program.exitCode()).as(program.err()).isZero();
        Bundle bundle = Bundle.read(path);
        int id = jobs.register("absent-in-value", Payments.FIRST);
        Configuration options = jobs.registryOptions("absent");
        options.removeKey("moe.record.features.x");
        options.setString("moe.bundle", path.toString());
        options.setString("moe.record.features.numeric", "f0;f1;f2;f3;f4;more.f5;more.f6;more.f7");
        options.setString("moe.record.features.destination", "n");
        options.setString("moe.record.features.origin.field", "more.origin");
        options.setString("moe.record.features.origin.missing", "3");
        List<String> warnings = new ArrayList<>();

        ScoringJob.plan(
                StreamExecutionEnvironment.getExecutionEnvironment(), options, warnings::add);
        List<ConsumerRecord<byte[], byte[]>> answers =
                answers(options, key(), n -> Payments.avro(n, Payments.FIRST, id));

        assertThat(warnings)
                .contains(
                        "the field more.origin is not in the schema of the records (version 1 of subject absent-in-value), so the input origin has in each record what stands for a missing value; a schema with the field can be named in moe.record.schema");
        List<TypedValues> rows = new ArrayList<>();
        TypedValuesBuilder row = new TypedValuesBuilder(bundle.spec().inputLayout());
        for (int n = 0; n < RECORDS; n++) {
            float[] features = FlightsBundle.features(new Random(n));
            row.set("numeric", Arrays.copyOf(features, 8)).set("destination", n).set("origin", 3);
            rows.add(row.build());
        }
        try (ReferenceModel model = ReferenceModel.open(bundle)) {
            ReferenceModel.Result right =
                    model.forward(
                            InputRows.of(bundle.spec().inputLayout(), rows),
                            TokenMetadata.ofRows(RECORDS),
                            Draws.NONE);
            for (ConsumerRecord<byte[], byte[]> record : answers) {
                GenericRecord answer = jobs.decode(record.value());
                TypedValues outputs = right.outputs().row((Integer) answer.get("n"));
                for (String name : List.of("late15", "late60", "early")) {
                    assertThat(answer.get(name)).isEqualTo(outputs.get(name)).isNotNull();
                }
            }
        }
    }

    private static RecordJobs.Part key() {
        return n -> Payments.card(n).getBytes(UTF_8);
    }

    private static byte[] avroKey(String id, int schemaId) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        new GenericDatumWriter<GenericRecord>(KEY)
                .write(new GenericRecordBuilder(KEY).set("id", id).build(), encoder);
        encoder.flush();
        return WireFormat.message(schemaId, out.toByteArray());
    }

    /** Runs a job until each record has one answer. */
    private static List<ConsumerRecord<byte[], byte[]>> answers(
            Configuration options, RecordJobs.Part key, RecordJobs.Part value) throws Exception {
        String name = options.toMap().get("moe.source.group-id");
        JobClient job = RecordJobs.start(options);
        jobs.send(name, 0, RECORDS, key, value);
        RecordJobs.await(() -> jobs.count(name) + jobs.read(name + "-dead").size() >= RECORDS);
        job.cancel().get();
        assertThat(jobs.read(name + "-dead")).isEmpty();
        List<ConsumerRecord<byte[], byte[]>> answers = jobs.read(name + "-out");
        assertThat(answers).hasSize(RECORDS);
        return answers;
    }
}
