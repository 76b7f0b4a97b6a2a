// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import io.flinkmoe.kafka.registry.Credentials;
import io.flinkmoe.kafka.registry.RegistryException;
import io.flinkmoe.kafka.registry.RegistryException.Kind;
import io.flinkmoe.kafka.registry.RegistrySettings;
import io.flinkmoe.kafka.registry.SchemaRegistry;
import io.flinkmoe.kafka.registry.SubjectStrategy;
import io.flinkmoe.kafka.registry.TrustStore;
import io.flinkmoe.tools.machine.FreePorts;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The client against a real registry. What the registry has, a foreign client has put there. */
class RegistryIT {

    private static final String PASSWORD = "geheim-4711";

    private static final Schema GEO =
            SchemaBuilder.record("Geo").namespace("pay").fields().requiredDouble("lat").endRecord();

    @TempDir static Path dir;

    private static ApicurioRegistry registry;

    @BeforeAll
    static void start() throws Exception {
        registry = ApicurioRegistry.start(dir.resolve("registry"));
    }

    @AfterAll
    static void stop() throws Exception {
        if (registry != null) {
            registry.close();
        }
    }

    @Test
    void readsWhatAForeignClientHasRegistered() throws Exception {
        Schema second = payment("Read", "amount", "country");
        int id = put("read-value", payment("Read", "amount"));
        int next = put("read-value", second);
        int other = put("read-again-value", second);

        SchemaRegistry client = client(registry.url());

        assertThat(other).as("one schema under two subjects").isEqualTo(next);
        assertThat(client.byId(id)).isEqualTo(payment("Read", "amount"));
        assertThat(client.byId(next)).isEqualTo(second);
        assertThat(client.latest("read-value")).isEqualTo(second);
        assertThat(client.version("read-value", 1)).isEqualTo(payment("Read", "amount"));
        assertThat(client.find("read-again-value", second)).isEqualTo(next);
    }

    @Test
    void registersUnderTheSubjectOfEachStrategy() throws Exception {
        Schema schema = payment("Registered", "amount");
        SchemaRegistry client = client(registry.url());

        for (SubjectStrategy strategy : SubjectStrategy.values()) {
            String subject = strategy.ofValues("a topic/with é", schema);
            int id = client.register(subject, schema);
            assertThat(client.register(subject, schema)).isEqualTo(id);
            assertThat(client.latest(subject)).as(subject).isEqualTo(schema);
        }
    }

    @Test
    void resolvesReferencesOfReferences() throws Exception {
        put("geo", GEO);
        String place =
                """
                {"type": "record", "name": "Place", "namespace": "pay", "fields":
                  [{"name": "geo", "type": "pay.Geo"}]}""";
        put("place", place, reference("pay.Geo", "geo"));
        String trip =
                """
                {"type": "record", "name": "Trip", "namespace": "pay", "fields":
                  [{"name": "from", "type": "pay.Place"}, {"name": "at", "type": "pay.Geo"}]}""";
        int id = put("trip", trip, reference("pay.Place", "place"), reference("pay.Geo", "geo"));

        Schema resolved = client(registry.url()).byId(id);

        assertThat(resolved.getField("at").schema()).isEqualTo(GEO);
        assertThat(resolved.getField("from").schema().getField("geo").schema()).isEqualTo(GEO);
    }

    @Test
    void tellsWhatItDoesNotKnowFromWhatItCannotUse() throws Exception {
        Map<String, Object> json =
                Map.of(
                        "schemaType",
                        "JSON",
                        "schema",
                        "{\"$schema\": \"http://json-schema.org/draft-07/schema#\", \"type\": \"object\"}");
        int notAvro = id(registry.post("/subjects/json-value/versions", write(json)));
        SchemaRegistry client = client(registry.url());

        RegistryException failure = failure(() -> client.byId(notAvro));
        assertThat(failure).hasMessage("schema %d has the type JSON; allowed: AVRO", notAvro);
        assertThat(failure.kind()).isEqualTo(Kind.UNUSABLE);
        assertThat(failure(() -> client.byId(987_654)).kind()).isEqualTo(Kind.UNKNOWN);
        assertThat(failure(() -> client.latest("nobody")).kind()).isEqualTo(Kind.UNKNOWN);
        assertThat(failure(() -> client.version("json-value", 7)).kind()).isEqualTo(Kind.UNKNOWN);
    }

    @Test
    void asksTheNextUrlAndStaysWithIt() throws Exception {
        int id = put("failover-value", payment("Failover", "amount"));
        String nobody = "http://127.0.0.1:" + FreePorts.find(1)[0];
        try (RegistryGate gate = new RegistryGate(HttpServer.create(), registry.url())) {
            SchemaRegistry client = client("http://" + gate.hostAndPort(), nobody, registry.url());
            for (int status : new int[] {500, 503, 429, 401, 403}) {
                gate.answer(status);
                assertThat(client.byId(id)).isEqualTo(payment("Failover", "amount"));
            }
            assertThat(gate.requests()).isEqualTo(1);

            SchemaRegistry all = client(nobody, "http://" + gate.hostAndPort());
            RegistryException failure = failure(() -> all.byId(id));
            assertThat(failure.kind()).isEqualTo(Kind.AWAY);
            assertThat(failure).hasMessageContainingAll(nobody, gate.hostAndPort(), "status 403");

            gate.answer(404); // Of a proxy: it is not the registry that says so.
            assertThat(failure(() -> all.byId(id)).kind()).isEqualTo(Kind.AWAY);
        }
    }

    @Test
    void authenticatesItselfAndShowsNoSecret() throws Exception {
        int id = put("secret-value", payment("Secret", "amount"));
        byte[] pair = ("moe:" + PASSWORD).getBytes(java.nio.charset.StandardCharsets.UTF_8);
        String encoded = Base64.getEncoder().encodeToString(pair);
        Map<Credentials, String> wanted =
                Map.of(
                        Credentials.basic("moe", PASSWORD), "Basic " + encoded,
                        Credentials.bearer(PASSWORD), "Bearer " + PASSWORD);
        try (RegistryGate gate = new RegistryGate(HttpServer.create(), registry.url())) {
            for (Map.Entry<Credentials, String> entry : wanted.entrySet()) {
                RegistrySettings settings =
                        new RegistrySettings(
                                RegistrySettings.urls(
                                        List.of("http://" + gate.hostAndPort() + "/")),
                                entry.getKey(),
                                new TrustStore("none", PASSWORD));
                assertThat(settings.toString()).doesNotContain(PASSWORD, encoded);
                SchemaRegistry client = client(settings.urls().get(0).toString(), entry.getKey());
                gate.want(entry.getValue());
                assertThat(client.byId(id)).isEqualTo(payment("Secret", "amount"));
                gate.want("another");
                RegistryException failure = failure(() -> client.byId(id));
                assertThat(failure.kind()).isEqualTo(Kind.AWAY);
                assertThat(failure).hasMessageContaining("status 401");
                assertThat(failure.toString()).doesNotContain(PASSWORD, encoded);
            }
        }
    }

    @Test
    void trustsTheCertificatesOfItsStoreOnly() throws Exception {
        int id = put("tls-value", payment("Tls", "amount"));
        Path store = dir.resolve("store.p12");
        new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                        "-genkeypair",
                        "-alias",
                        "registry",
                        "-keyalg",
                        "EC",
                        "-dname",
                        "CN=localhost",
                        "-ext",
                        "san=dns:localhost",
                        "-storetype",
                        "PKCS12",
                        "-storepass",
                        PASSWORD,
                        "-keystore",
                        store.toString())
                .inheritIO()
                .start()
                .waitFor();
        // A key is not trusted; only its certificate is.
        Path trust = dir.resolve("trust.p12");
        KeyStore certificates = KeyStore.getInstance("PKCS12");
        certificates.load(null, null);
        KeyStore keys = KeyStore.getInstance(store.toFile(), PASSWORD.toCharArray());
        certificates.setCertificateEntry("registry", keys.getCertificate("registry"));
        try (var out = Files.newOutputStream(trust)) {
            certificates.store(out, PASSWORD.toCharArray());
        }
        HttpsServer server = HttpsServer.create();
        server.setHttpsConfigurator(new HttpsConfigurator(context(store.toFile())));
        try (RegistryGate gate = new RegistryGate(server, registry.url())) {
            String url = "https://" + gate.hostAndPort();
            SchemaRegistry trusting =
                    new SchemaRegistry(
                            new RegistrySettings(
                                    RegistrySettings.urls(List.of(url)),
                                    Credentials.NONE,
                                    new TrustStore(trust.toString(), PASSWORD)));

            assertThat(trusting.byId(id)).isEqualTo(payment("Tls", "amount"));
            assertThat(failure(() -> client(url).byId(id)).kind()).isEqualTo(Kind.AWAY);
        }
        RegistrySettings wrong =
                new RegistrySettings(
                        RegistrySettings.urls(List.of(registry.url())),
                        Credentials.NONE,
                        new TrustStore(trust.toString(), "wrong-" + PASSWORD));
        assertThat(catchThrowableOfType(java.io.IOException.class, () -> new SchemaRegistry(wrong)))
                .hasMessageStartingWith("cannot read the trust store " + trust)
                .hasMessageNotContaining(PASSWORD);
    }

    private static SSLContext context(File store) throws Exception {
        KeyManagerFactory keys =
                KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(KeyStore.getInstance(store, PASSWORD.toCharArray()), PASSWORD.toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        return context;
    }

    private static RegistryException failure(ThrowingCallable call) {
        RegistryException failure = catchThrowableOfType(RegistryException.class, call);
        assertThat(failure).isNotNull();
        return failure;
    }

    private static SchemaRegistry client(String... urls) throws Exception {
        return new SchemaRegistry(
                new RegistrySettings(RegistrySettings.urls(List.of(urls)), Credentials.NONE, null));
    }

    private static SchemaRegistry client(String url, Credentials credentials) throws Exception {
        return new SchemaRegistry(
                new RegistrySettings(RegistrySettings.urls(List.of(url)), credentials, null));
    }

    private static Schema payment(String name, String... fields) {
        SchemaBuilder.FieldAssembler<Schema> record =
                SchemaBuilder.record(name).namespace("pay").fields();
        for (String field : fields) {
            record.name(field).type().doubleType().doubleDefault(0);
        }
        return record.endRecord();
    }

    private static int put(String subject, Schema schema) throws Exception {
        return put(subject, schema.toString());
    }

    private static int put(String subject, String schema, Object... references) throws Exception {
        return id(
                registry.post(
                        "/subjects/" + subject + "/versions",
                        write(Map.of("schema", schema, "references", List.of(references)))));
    }

    private static Map<String, Object> reference(String name, String subject) {
        return Map.of("name", name, "subject", subject, "version", 1);
    }

    private static String write(Map<String, Object> json) throws Exception {
        return new ObjectMapper().writeValueAsString(json);
    }

    private static int id(String answer) throws Exception {
        return new ObjectMapper().readTree(answer).path("id").asInt();
    }
}
