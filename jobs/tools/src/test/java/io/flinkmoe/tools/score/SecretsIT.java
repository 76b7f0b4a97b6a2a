// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import io.flinkmoe.model.huggingface.CheckpointImporter;
import io.flinkmoe.schemas.TokenEncoder;
import io.flinkmoe.tools.Home;
import io.flinkmoe.tools.Program;
import io.flinkmoe.tools.kafka.KafkaBroker;
import io.flinkmoe.tools.machine.FreePorts;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/**
 * The scoring job against a broker that asks for a certificate (TLS) and a password (SASL), and
 * against a schema registry that asks for a password: all get there, and show nowhere else, not in
 * the most talkative log either.
 */
class SecretsIT {

    private static final String SASL = "sasl-geheim-4711";
    private static final String STORE = "store-geheim-0815";
    private static final String WRONG = "wrong-geheim-1234";
    private static final String REGISTRY = "registry-geheim-2222";
    private static final String BASIC =
            Base64.getEncoder().encodeToString(("moe:" + REGISTRY).getBytes(UTF_8));
    private static final String[] SECRETS = {SASL, STORE, WRONG, REGISTRY, BASIC};
    private static final Duration TIMEOUT = Duration.ofSeconds(90);

    @TempDir static Path dir;

    private static KafkaBroker broker;
    private static int securePort;
    private static Path trustStore;
    private static Path bundle;

    @BeforeAll
    static void start() throws Exception {
        Path keyStore = keyStore();
        trustStore = trustStore(keyStore);
        securePort = FreePorts.find(1)[0];
        broker =
                KafkaBroker.start(
                        dir.resolve("kafka"),
                        ",SECURE://127.0.0.1:" + securePort,
                        Map.of(
                                "listener.security.protocol.map",
                                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
                                "listener.name.secure.sasl.enabled.mechanisms",
                                "PLAIN",
                                "listener.name.secure.plain.sasl.jaas.config",
                                "org.apache.kafka.common.security.plain.PlainLoginModule required"
                                        + " user_moe=\"%s\";".formatted(SASL),
                                "listener.name.secure.ssl.keystore.location",
                                keyStore.toString(),
                                "listener.name.secure.ssl.keystore.password",
                                STORE,
                                "listener.name.secure.ssl.key.password",
                                STORE,
                                "listener.name.secure.ssl.truststore.location",
                                trustStore.toString(),
                                "listener.name.secure.ssl.truststore.password",
                                STORE,
                                "listener.name.secure.ssl.client.auth",
                                "required"));
        for (String topic : List.of("in", "out", "dead", "own-in", "own-out", "own-dead")) {
            broker.createTopic(topic, 1, Map.of());
        }
        bundle = dir.resolve("bundle");
        CheckpointImporter.importBundle(
                Home.FLIGHTS.resolve("checkpoint"),
                Home.FLIGHTS.resolve("encoder.onnx"),
                Home.FLIGHTS.resolve("head.onnx"),
                bundle);
    }

    @AfterAll
    static void stop() {
        if (broker != null) {
            broker.close();
        }
    }

    @Test
    void reachTheBrokerAndShowNowhere() throws Exception {
        produce("in", TokenEncoder.singleObject().encode("JFK", 1, 2, new float[10]));
        assertShowNowhere(job(SASL, STORE), "out");
    }

    @Test
    void reachTheRegistryAndShowNowhere() throws Exception {
        try (AuthenticatedRegistry registry = registry("Basic " + BASIC)) {
            byte[] payment = Payments.avro(1, Payments.FIRST, 1);
            produce("own-in", payment);
            produce("own-in", Arrays.copyOf(payment, 9));
            String password = "  registry.user: moe\n  registry.password: " + REGISTRY;

            assertShowNowhere(ownRecords(registry.url(), password, STORE), "own-out");

            assertThat(registry.requests()).isPositive();
            await("own-dead", () -> false);
            Program program =
                    Program.run(
                            "score",
                            "--dry-run",
                            "--config",
                            ownRecords(registry.url(), password, STORE));
            assertThat(program.out())
                    .contains("moe.registry.password", "***")
                    .doesNotContain(SECRETS);
        }
    }

    @Test
    void ofARegistryShowNotWhereTheyAreWrongEither() throws Exception {
        try (AuthenticatedRegistry registry = registry("Bearer another");
                LogWatch logs = LogWatch.forTexts(SECRETS)) {
            String user = "  registry.user: moe\n  registry.password: ";
            String token = "  registry.token: ";
            String withUser = registry.url().replace("://", "://moe:" + WRONG + "@");
            Map<Path, String> jobs =
                    Map.of(
                            ownRecords(registry.url(), user + WRONG, STORE),
                            "status 401",
                            ownRecords(registry.url(), token + REGISTRY, STORE),
                            "moe.registry.token",
                            ownRecords(registry.url(), user + REGISTRY, WRONG),
                            "cannot read the trust store",
                            ownRecords(withUser, token + REGISTRY, STORE),
                            "contains credentials",
                            ownRecords(
                                    registry.url(), user + WRONG + "\n" + token + REGISTRY, STORE),
                            "authenticates itself in one way");
            for (Map.Entry<Path, String> job : jobs.entrySet()) {
                Program program = Program.run("score", "--config", job.getKey(), "--verbose");
                assertThat(program.exitCode()).as(program.err()).isBetween(1, 2);
                assertThat(program.err()).contains(job.getValue());
                assertThat(program.out() + program.err()).doesNotContain(SECRETS);
            }
            assertThat(logs.found()).isEmpty();
        }
    }

    /** Runs a job until it has answered. */
    private static void assertShowNowhere(Path file, String topic) throws Exception {
        int rest = FreePorts.find(1)[0];
        ExecutorService executor = Executors.newSingleThreadExecutor();
        try (LogWatch logs = LogWatch.forTexts(SECRETS)) {
            Future<Program> run =
                    executor.submit(
                            () ->
                                    Program.run(
                                            "score", "--config", file, "-D", "rest.port=" + rest));
            await(topic, run::isDone);
            String job = jobId(rest);
            for (String page :
                    List.of(
                            "/config",
                            "/jobmanager/config",
                            "/jobmanager/environment",
                            "/taskmanagers",
                            "/jobs/" + job,
                            "/jobs/" + job + "/config",
                            "/jobs/" + job + "/plan",
                            "/jobs/" + job + "/exceptions",
                            "/jobs/" + job + "/checkpoints/config")) {
                HttpResponse<String> answer = get(rest, page);
                assertThat(answer.statusCode()).as(page).isEqualTo(200);
                assertThat(answer.body()).as(page).doesNotContain(SECRETS);
            }
            executor.shutdownNow();
            assertThat(executor.awaitTermination(1, TimeUnit.MINUTES)).isTrue();
            assertThat(run.get().out() + run.get().err()).doesNotContain(SECRETS);
            assertThat(logs.lines()).as("lines that were watched").isGreaterThan(1000);
            assertThat(logs.found()).isEmpty();
        } finally {
            executor.shutdownNow();
        }
    }

    @Test
    void showNotWhereTheyAreWrongEither() throws Exception {
        try (LogWatch logs = LogWatch.forTexts(SECRETS)) {
            for (Path file :
                    List.of(
                            job(WRONG, STORE),
                            job(SASL, WRONG),
                            job(WRONG + "\" more; and", STORE))) {
                Program program = Program.run("score", "--config", file, "--verbose");
                assertThat(program.exitCode()).isEqualTo(1);
                assertThat(program.err())
                        .contains("moe.kafka.properties (security.protocol, sasl.*, ssl.*)");
                assertThat(program.out() + program.err()).doesNotContain(SECRETS);
            }
            assertThat(logs.found()).isEmpty();
            LoggerFactory.getLogger("control").trace("a line with {}", WRONG);
            assertThat(logs.found()).containsExactly("control: a line with " + WRONG);
        }
    }

    private static Path job(String saslPassword, String storePassword) throws Exception {
        return Files.writeString(
                Files.createTempFile(dir, "job", ".yaml"),
                """
                moe:
                  bundle: %s
                  source.topic: in
                  source.start: earliest
                  sink.topic: out
                  dead-letter.topic: dead
                  kafka.brokers: 127.0.0.1:%d
                  kafka.properties:
                    security.protocol: SASL_SSL
                    sasl.mechanism: PLAIN
                    sasl.jaas.config: >-
                      org.apache.kafka.common.security.plain.PlainLoginModule required
                      username="moe" password="%s";
                    ssl.truststore.location: %s
                    ssl.truststore.password: %s
                    ssl.keystore.location: %s
                    ssl.keystore.password: %s
                    ssl.key.password: %s
                execution.checkpointing.interval: 500 ms
                parallelism.default: 1
                restart-strategy.type: none
                """
                        .formatted(
                                bundle,
                                securePort,
                                saslPassword,
                                trustStore,
                                storePassword,
                                dir.resolve("key.p12"),
                                storePassword,
                                storePassword));
    }

    private static AuthenticatedRegistry registry(String authorization) throws Exception {
        return AuthenticatedRegistry.start(
                dir.resolve("key.p12"), STORE, authorization, Payments.FIRST);
    }

    /** A job with users' own records. */
    private static Path ownRecords(String url, String credentials, String storePassword)
            throws Exception {
        Path schema = Files.writeString(dir.resolve("payment.avsc"), "" + Payments.FIRST);
        return Files.writeString(
                Files.createTempFile(dir, "own", ".yaml"),
                """
                moe:
                  bundle: %s
                  source.topic: own-in
                  source.group-id: own
                  source.start: earliest
                  sink.topic: own-out
                  dead-letter.topic: own-dead
                  kafka.brokers: %s
                  format: avro-registry
                  record:
                    stream: card.id
                    features: {x: "%s"}
                    schema: %s
                  registry.url: %s
                  registry.trust-store: %s
                  registry.trust-store-password: %s
                %s
                execution.checkpointing.interval: 500 ms
                parallelism.default: 1
                restart-strategy.type: none
                """
                        .formatted(
                                bundle,
                                broker.bootstrapServers(),
                                Payments.FEATURES,
                                schema,
                                url,
                                trustStore,
                                storePassword,
                                credentials));
    }

    private static void produce(String topic, byte[] value) {
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(
                        Map.of("bootstrap.servers", broker.bootstrapServers()),
                        new ByteArraySerializer(),
                        new ByteArraySerializer())) {
            producer.send(new ProducerRecord<>(topic, value));
        }
    }

    /** Until a topic has a record, which has no secret. */
    private static void await(String topic, BooleanSupplier hasEnded) {
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(
                        Map.of(
                                "bootstrap.servers", broker.bootstrapServers(),
                                "isolation.level", "read_committed",
                                "auto.offset.reset", "earliest"),
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer())) {
            consumer.assign(List.of(new TopicPartition(topic, 0)));
            long deadline = System.nanoTime() + TIMEOUT.toNanos();
            ConsumerRecords<byte[], byte[]> records = ConsumerRecords.empty();
            while (records.isEmpty()) {
                records = consumer.poll(Duration.ofMillis(200));
                assertThat(hasEnded.getAsBoolean()).as("the job has ended").isFalse();
                assertThat(System.nanoTime()).as("time for an answer").isLessThan(deadline);
            }
            for (ConsumerRecord<byte[], byte[]> record : records) {
                assertThat(new String(record.value(), ISO_8859_1)).doesNotContain(SECRETS);
            }
        }
    }

    private static String jobId(int rest) throws Exception {
        Matcher id = Pattern.compile("[0-9a-f]{32}").matcher(get(rest, "/jobs").body());
        assertThat(id.find()).isTrue();
        return id.group();
    }

    private static HttpResponse<String> get(int port, String page) throws Exception {
        URI uri = URI.create("http://localhost:" + port + page);
        return HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString());
    }

    private static Path keyStore() throws Exception {
        Path file = dir.resolve("key.p12");
        Process keytool =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "keytool")
                                        .toString(),
                                "-genkeypair",
                                "-alias",
                                "moe",
                                "-keyalg",
                                "EC",
                                "-dname",
                                "CN=127.0.0.1",
                                "-ext",
                                "san=ip:127.0.0.1",
                                "-storetype",
                                "PKCS12",
                                "-keystore",
                                file.toString(),
                                "-storepass",
                                STORE)
                        .inheritIO()
                        .start();
        assertThat(keytool.waitFor()).isZero();
        return file;
    }

    private static Path trustStore(Path keyStore) throws Exception {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(keyStore)) {
            keys.load(in, STORE.toCharArray());
        }
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("moe", keys.getCertificate("moe"));
        Path file = dir.resolve("trust.p12");
        try (OutputStream out = Files.newOutputStream(file)) {
            trusted.store(out, STORE.toCharArray());
        }
        return file;
    }
}
