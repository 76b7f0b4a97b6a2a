// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.registry;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.flinkmoe.kafka.registry.RegisteredSchema.Reference;
import io.flinkmoe.kafka.registry.RegistryException.Kind;
import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * Asks a registry with Confluent's API. If a URL does not answer, it asks the next one, and stays
 * with the one that answers.
 */
@Internal
final class RegistryClient {

    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(5);
    private static final Duration TIMEOUT = Duration.ofSeconds(10);
    private static final String CONTENT_TYPE = "application/vnd.schemaregistry.v1+json";

    /** Characters of a registry's own words in messages. */
    private static final int MAX_WORDS = 300;

    /** Confluent's error codes of what the registry does not have begin with the status 404. */
    private static final String NOT_FOUND = "404";

    private static final ObjectMapper JSON = new ObjectMapper();

    private final RegistrySettings settings;
    private final HttpClient http;
    private volatile int current;

    /**
     * @throws IOException if the trust store cannot be read
     */
    RegistryClient(RegistrySettings settings) throws IOException {
        this.settings = settings;
        HttpClient.Builder builder = HttpClient.newBuilder().connectTimeout(CONNECT_TIMEOUT);
        if (settings.trust().isPresent()) {
            builder.sslContext(settings.trust().get().context());
        }
        http = builder.build();
    }

    /** Asks for something small that every registry has. */
    void ping() throws RegistryException {
        try {
            get("/config");
        } catch (RegistryException e) {
            if (e.kind() == Kind.AWAY) {
                throw e;
            }
        }
    }

    /** The schema with an id. */
    RegisteredSchema schema(int id) throws RegistryException {
        // An id is an unsigned number on the wire, but registries count from 1.
        return schema(get("/schemas/ids/" + id));
    }

    /** A version of a subject. */
    RegisteredSchema schema(Reference reference) throws RegistryException {
        return schema(
                get(
                        "/subjects/%s/versions/%d"
                                .formatted(encode(reference.subject()), reference.version())));
    }

    /** The number of the latest version of a subject. */
    int latestVersion(String subject) throws RegistryException {
        return number(get("/subjects/%s/versions/latest".formatted(encode(subject))), "version");
    }

    /** Registers an Avro schema under a subject, unless it is there, and returns its id. */
    int register(String subject, String schema) throws RegistryException {
        return number(post("/subjects/%s/versions".formatted(encode(subject)), schema), "id");
    }

    /** The id that an Avro schema has under a subject. */
    int find(String subject, String schema) throws RegistryException {
        return number(post("/subjects/" + encode(subject), schema), "id");
    }

    private JsonNode get(String path) throws RegistryException {
        return ask(path, "GET", BodyPublishers.noBody());
    }

    private JsonNode post(String path, String schema) throws RegistryException {
        try {
            return ask(
                    path,
                    "POST",
                    BodyPublishers.ofString(JSON.writeValueAsString(Map.of("schema", schema))));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Asks the URLs in turn, beginning with the one that has answered last. */
    private JsonNode ask(String path, String method, BodyPublisher body) throws RegistryException {
        List<String> failures = new ArrayList<>();
        int first = current;
        for (int i = 0; i < settings.urls().size(); i++) {
            int index = (first + i) % settings.urls().size();
            URI url = settings.urls().get(index);
            try {
                JsonNode answer = ask(url, path, method, body);
                current = index;
                return answer;
            } catch (RegistryException e) {
                if (e.kind() != Kind.AWAY) {
                    current = index;
                    throw e;
                }
                failures.add(e.getMessage());
            }
        }
        throw new RegistryException(Kind.AWAY, String.join("; ", failures));
    }

    private JsonNode ask(URI url, String path, String method, BodyPublisher body)
            throws RegistryException {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(URI.create(url + path))
                        .timeout(TIMEOUT)
                        .header("Accept", CONTENT_TYPE)
                        .method(method, body);
        if (method.equals("POST")) {
            request.header("Content-Type", CONTENT_TYPE);
        }
        settings.credentials().header().ifPresent(value -> request.header("Authorization", value));
        HttpResponse<String> response;
        try {
            response = http.send(request.build(), BodyHandlers.ofString());
        } catch (IOException e) {
            throw new RegistryException(
                    Kind.AWAY, "%s does not answer (%s)".formatted(url, reason(e)));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new RegistryException(Kind.AWAY, "interrupted while asking " + url);
        }
        JsonNode answer = parse(response.body());
        if (response.statusCode() == 200 && answer != null) {
            return answer;
        }
        throw failure(url, path, response.statusCode(), answer);
    }

    private static RegistryException failure(URI url, String path, int status, JsonNode answer) {
        String code = answer == null ? "" : answer.path("error_code").asText("");
        String words = answer == null ? "" : answer.path("message").asText("");
        String text =
                "%s answers %s with status %d%s"
                        .formatted(
                                url,
                                path,
                                status,
                                words.isEmpty()
                                        ? ""
                                        : ": "
                                                + words.substring(
                                                        0, Math.min(words.length(), MAX_WORDS)));
        // Another 404 is that of a proxy, or of a wrong path. It says nothing of schemas.
        if (status == 404 && code.startsWith(NOT_FOUND)) {
            return new RegistryException(Kind.UNKNOWN, text);
        }
        boolean isVerdict = status == 400 || status == 409 || status == 422;
        return new RegistryException(isVerdict ? Kind.UNUSABLE : Kind.AWAY, text);
    }

    /** The exceptions of refused connections have no message. */
    private static String reason(IOException e) {
        return e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
    }

    /** Returns null if the text is no JSON object. */
    private static JsonNode parse(String body) {
        try {
            JsonNode node = JSON.readTree(body);
            return node != null && node.isObject() ? node : null;
        } catch (JsonProcessingException e) {
            return null;
        }
    }

    private static RegisteredSchema schema(JsonNode answer) throws RegistryException {
        if (!answer.path("schema").isTextual()) {
            throw new RegistryException(Kind.UNUSABLE, "the registry's answer has no schema");
        }
        List<Reference> references = new ArrayList<>();
        for (JsonNode reference : answer.path("references")) {
            references.add(
                    new Reference(
                            reference.path("subject").asText(), reference.path("version").asInt()));
        }
        return new RegisteredSchema(
                answer.path("schemaType").asText(RegisteredSchema.AVRO),
                answer.path("schema").asText(),
                references);
    }

    private static int number(JsonNode answer, String field) throws RegistryException {
        if (!answer.path(field).canConvertToInt()) {
            throw new RegistryException(Kind.UNUSABLE, "the registry's answer has no " + field);
        }
        return answer.path(field).asInt();
    }

    private static String encode(String subject) {
        return URLEncoder.encode(subject, StandardCharsets.UTF_8).replace("+", "%20");
    }
}
