// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.SchemaBuilder;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against the answers of a registry, not a registry; the tests of the tools have a real one. */
class SchemaChoiceTest {

    private static final Schema SCHEMA =
            SchemaBuilder.record("pay.Own").fields().requiredInt("n").endRecord();

    private static final String VERSION =
            "{\"subject\": \"s-value\", \"version\": 3, \"id\": 9, \"schema\": \"%s\"}"
                    .formatted(SCHEMA.toString().replace("\"", "\\\""));

    private static final String UNKNOWN =
            "{\"error_code\": 40401, \"message\": \"Subject not found\"}";

    private static final Map<String, String> ANSWERS =
            Map.of(
                    "/subjects/s-value/versions/latest",
                    VERSION,
                    "/subjects/s-value/versions/3",
                    VERSION,
                    "/subjects/s-value/versions",
                    "{\"id\": 9}",
                    "/subjects/s-value",
                    "{\"id\": 9}");

    @TempDir Path dir;

    private HttpServer server;
    private SchemaRegistry registry;

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext(
                "/",
                exchange -> {
                    String answer = ANSWERS.get(exchange.getRequestURI().getPath());
                    byte[] body = (answer == null ? UNKNOWN : answer).getBytes(UTF_8);
                    exchange.sendResponseHeaders(answer == null ? 404 : 200, body.length);
                    exchange.getResponseBody().write(body);
                    exchange.close();
                });
        server.start();
        registry =
                new SchemaRegistry(
                        new RegistrySettings(
                                RegistrySettings.urls(List.of(url())), Credentials.NONE, null));
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    private String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    @Test
    void latestAndAVersionAreInTheRegistryAndSayWhichTheyAre() throws Exception {
        for (String text : List.of("latest", " 3 ")) {
            SchemaChoice choice = InstantiationUtil.clone(SchemaChoice.of(text));
            SchemaChoice.Resolved found = choice.resolve(registry, "s-value");

            assertThat(found.schema()).isEqualTo(SCHEMA);
            assertThat(found.origin()).isEqualTo("version 3 of subject s-value");
            assertThat(choice.needsRegistry()).isTrue();
            assertThat(choice.isLatest()).isEqualTo(text.equals("latest"));
            assertThat(choice).hasToString(text.strip());
        }
    }

    @Test
    void aFileNeedsNoRegistry() throws Exception {
        Path file = dir.resolve("own.avsc");
        Files.writeString(file, SCHEMA.toString());
        SchemaChoice choice = SchemaChoice.of(file.toString());

        assertThat(choice.needsRegistry()).isFalse();
        assertThat(choice.resolve(registry, "any").schema()).isEqualTo(SCHEMA);
        assertThat(SchemaChoice.file(file.toString()).origin()).isEqualTo("the file " + file);
    }

    @Test
    void namesTheFileThatIsMissingOrHasNoSchema() throws Exception {
        Path file = dir.resolve("none.avsc");
        assertUnusable(file, "there is no such file");
        assertUnusable(dir, "it is a folder; expected a file");
        Map<String, String> reasons =
                Map.of(
                        "",
                        "it is empty",
                        "{\"type\":\n  \"record\",}",
                        "it is no JSON, at line 2, column 12",
                        "{\"type\": \"recor\"}",
                        "it has no Avro schema: ",
                        "{\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"a\", \"type\": \"B\"}]}",
                        "it has no Avro schema: ",
                        "{\"type\": \"enum\", \"name\": \"E\", \"symbols\": 5}",
                        "it has no Avro schema: ",
                        "[]x",
                        "it has no Avro schema: dangling content");
        for (Map.Entry<String, String> reason : reasons.entrySet()) {
            Files.writeString(file, reason.getKey());
            assertUnusable(file, reason.getValue());
        }
        Files.write(file, new byte[] {'"', -1, '"'});
        assertUnusable(file, "it is no text in UTF-8");
    }

    private static void assertUnusable(Path file, String reason) {
        String start = "the schema file %s cannot be used: ".formatted(file);
        assertThatThrownBy(() -> SchemaChoice.file(file.toString()))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith(start + reason)
                .satisfies(
                        e ->
                                assertThat(e.getMessage().substring(start.length()))
                                        .doesNotContain("\n")
                                        .doesNotContain(file.toString()));
    }

    @Test
    void namesSubjectVersionAndRegistryOfWhatIsNotThere() {
        assertThatThrownBy(() -> SchemaChoice.LATEST.resolve(registry, "t-value"))
                .isInstanceOf(RegistryException.class)
                .hasMessageStartingWith("the latest version of subject t-value cannot be had: ")
                .hasMessageContainingAll(url(), "Subject not found");
        assertThatThrownBy(() -> SchemaChoice.of("4").resolve(registry, "s-value"))
                .hasMessageStartingWith("version 4 of subject s-value cannot be had: " + url());
        server.stop(0);
        assertThatThrownBy(() -> SchemaChoice.LATEST.resolve(registry, "s-value"))
                .hasMessageContaining(url() + " does not answer");
    }

    @Test
    void registersOrFindsASchema() throws Exception {
        assertThat(registry.register("s-value", SCHEMA)).isEqualTo(9);
        assertThat(registry.find("s-value", SCHEMA)).isEqualTo(9);
        assertThatThrownBy(() -> registry.find("t-value", SCHEMA))
                .hasMessageStartingWith(
                        "the schema pay.Own is not found under subject t-value: " + url());
        assertThatThrownBy(() -> registry.register("t-value", SCHEMA))
                .hasMessageStartingWith(
                        "the schema pay.Own cannot be registered under subject t-value: " + url());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "0 | the version of the schema is 0; allowed: 1 to 2147483647",
                "-1 | the version of the schema is -1; allowed: 1 to",
                "2147483648 | the version of the schema is 2147483648; allowed: 1 to",
                "' ' | the schema is empty; allowed: latest, the number of a version, or the path",
            })
    void refusesWhatIsNoChoice(String text, String message) {
        assertThatThrownBy(() -> SchemaChoice.of(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(message);
    }
}
