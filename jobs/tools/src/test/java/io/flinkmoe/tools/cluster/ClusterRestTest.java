// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.HighAvailabilityOptions;
import org.apache.flink.configuration.RestOptions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ClusterRestTest {

    private HttpServer server;

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        serve(
                "/jobmanager/config",
                """
                [{"key": "parallelism.default", "value": "1"},
                 {"key": "high-availability.storageDir", "value": "file:/one/ha"}]""");
        serve("/overview", "{\"taskmanagers\": 3}");
        server.start();
    }

    private void serve(String path, String json) {
        server.createContext(
                path,
                exchange -> {
                    byte[] body = json.getBytes(UTF_8);
                    exchange.sendResponseHeaders(200, body.length);
                    exchange.getResponseBody().write(body);
                    exchange.close();
                });
    }

    @AfterEach
    void stop() {
        server.stop(0);
    }

    @Test
    void countsTheTaskManagersOfItsCluster() throws Exception {
        try (ClusterRest rest = restOfClusterIn("file:/one/ha")) {
            assertThat(rest.taskManagers()).isEqualTo(3);
        }
    }

    @Test
    void doesNotTakeAnotherClusterOnThePortForIts() throws Exception {
        try (ClusterRest rest = restOfClusterIn("file:/other/ha")) {
            assertThatThrownBy(rest::taskManagers)
                    .isInstanceOf(IOException.class)
                    .hasMessage("another Flink cluster responds at the port of this one");
        }
    }

    private ClusterRest restOfClusterIn(String storage) throws IOException {
        Configuration options = new Configuration();
        options.set(RestOptions.ADDRESS, "127.0.0.1");
        options.set(RestOptions.PORT, server.getAddress().getPort());
        options.set(HighAvailabilityOptions.HA_STORAGE_PATH, storage);
        return new ClusterRest(options);
    }
}
