// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.flink.annotation.Internal;

/**
 * Answers as a schema registry with one schema would, and accepts one for answers. A job asks it
 * for each id only once, so that its speed does not matter.
 */
@Internal
final class BenchRegistry implements AutoCloseable {

    /** The id of the schema. */
    static final int ID = 1;

    private static final int OF_ANSWERS = 2;

    private final HttpServer server;
    private final Schema schema;

    BenchRegistry(Schema schema) throws IOException {
        this.schema = schema;
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::answer);
        server.start();
    }

    String url() {
        return "http://localhost:" + server.getAddress().getPort();
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            exchange.getRequestBody().readAllBytes();
            boolean isSchema = exchange.getRequestURI().getPath().startsWith("/schemas/ids/");
            Map<String, Object> answer =
                    isSchema ? Map.of("schema", schema.toString()) : Map.of("id", OF_ANSWERS);
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
