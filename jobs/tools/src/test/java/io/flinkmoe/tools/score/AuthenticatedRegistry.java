// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import org.apache.avro.Schema;

/** Answers over TLS, with the id 1 or the schema of it, whoever has the right authorization. */
final class AuthenticatedRegistry implements AutoCloseable {

    private final HttpsServer server;
    private final String authorization;
    private final Schema schema;
    private final AtomicInteger requests = new AtomicInteger();

    private AuthenticatedRegistry(HttpsServer server, String authorization, Schema schema) {
        this.server = server;
        this.authorization = authorization;
        this.schema = schema;
    }

    static AuthenticatedRegistry start(
            Path keyStore, String password, String authorization, Schema schema) throws Exception {
        KeyManagerFactory keys =
                KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(
                KeyStore.getInstance(keyStore.toFile(), password.toCharArray()),
                password.toCharArray());
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);
        InetAddress here = InetAddress.getByName("127.0.0.1");
        HttpsServer server = HttpsServer.create(new InetSocketAddress(here, 0), 0);
        server.setHttpsConfigurator(new HttpsConfigurator(context));
        AuthenticatedRegistry registry = new AuthenticatedRegistry(server, authorization, schema);
        server.createContext("/", registry::answer);
        server.start();
        return registry;
    }

    String url() {
        return "https://127.0.0.1:" + server.getAddress().getPort();
    }

    /** The requests with the right authorization. */
    int requests() {
        return requests.get();
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            exchange.getRequestBody().readAllBytes();
            String given = exchange.getRequestHeaders().getFirst("Authorization");
            if (!authorization.equals(given)) {
                exchange.sendResponseHeaders(401, -1);
                return;
            }
            requests.incrementAndGet();
            boolean isSchema = exchange.getRequestURI().getPath().startsWith("/schemas/ids/");
            Map<String, Object> answer =
                    isSchema ? Map.of("schema", schema.toString()) : Map.of("id", 1);
            byte[] json = new ObjectMapper().writeValueAsBytes(answer);
            exchange.sendResponseHeaders(200, json.length);
            exchange.getResponseBody().write(json);
        }
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
