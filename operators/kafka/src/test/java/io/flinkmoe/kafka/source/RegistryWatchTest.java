// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import io.flinkmoe.kafka.registry.Credentials;
import io.flinkmoe.kafka.registry.RegistrySettings;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class RegistryWatchTest {

    @Test
    void saysSinceWhenTheRegistryIsAway() throws Exception {
        AtomicInteger status = new AtomicInteger(503);
        HttpServer server =
                HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext(
                "/",
                exchange -> {
                    byte[] body = "{}".getBytes(java.nio.charset.StandardCharsets.UTF_8);
                    exchange.sendResponseHeaders(status.get(), body.length);
                    exchange.getResponseBody().write(body);
                    exchange.close();
                });
        server.start();
        String url = "http://127.0.0.1:" + server.getAddress().getPort();
        long[] now = {60_000};
        try (RegistryWatch watch =
                new RegistryWatch(
                        new RegistrySettings(
                                RegistrySettings.urls(List.of(url)), Credentials.NONE, null),
                        () -> now[0])) {
            String away =
                    ("The schema registry is away since 1970-01-01T00:01:00Z (%s answers /config"
                                    + " with status 503): records wait whose schema is not known"
                                    + " yet, and all records after them.")
                            .formatted(url);
            assertThat(watch.look()).containsExactly(away);
            status.set(200);
            assertThat(watch.look()).as("not asked again at once").containsExactly(away);
            now[0] += 5_000;
            assertThat(watch.look()).isEmpty();
        } finally {
            server.stop(0);
        }
    }
}
