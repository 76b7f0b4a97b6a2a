// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.registry;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;

/**
 * Stands in front of a registry: hands requests on to it if they have the right authorization, or
 * answers all of them with a status.
 */
public final class RegistryGate implements AutoCloseable {

    private final HttpServer server;
    private final String registry;
    private final HttpClient client = HttpClient.newHttpClient();
    private volatile String authorization;
    private volatile int status;
    private volatile int requests;

    /**
     * @param server a server that is not started, with or without TLS
     * @param registry the URL of the registry
     */
    public RegistryGate(HttpServer server, String registry) throws IOException {
        this.server = server;
        this.registry = registry;
        server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::handle);
        server.start();
    }

    public String hostAndPort() {
        return "localhost:" + server.getAddress().getPort();
    }

    /** Wants this value of the header Authorization; null: any. */
    public void want(String value) {
        authorization = value;
    }

    /** Answers with this status; 0: hands requests on. */
    public void answer(int with) {
        status = with;
    }

    public int requests() {
        return requests;
    }

    private void handle(HttpExchange exchange) throws IOException {
        requests++;
        try (exchange) {
            String given = exchange.getRequestHeaders().getFirst("Authorization");
            if (status != 0 || authorization != null && !authorization.equals(given)) {
                exchange.sendResponseHeaders(status != 0 ? status : 401, -1);
                return;
            }
            HttpRequest.Builder request =
                    HttpRequest.newBuilder(URI.create(registry + exchange.getRequestURI()))
                            .method(
                                    exchange.getRequestMethod(),
                                    HttpRequest.BodyPublishers.ofByteArray(
                                            exchange.getRequestBody().readAllBytes()));
            List<String> type = exchange.getRequestHeaders().get("Content-Type");
            if (type != null) {
                request.header("Content-Type", type.get(0));
            }
            HttpResponse<byte[]> response =
                    client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
            exchange.sendResponseHeaders(response.statusCode(), response.body().length);
            exchange.getResponseBody().write(response.body());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
