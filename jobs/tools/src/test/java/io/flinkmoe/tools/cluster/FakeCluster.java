// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpServer;
import io.flinkmoe.tools.machine.FreePorts;
import io.flinkmoe.tools.machine.Installation;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ConfigurationUtils;
import org.apache.flink.configuration.HighAvailabilityOptions;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.RestOptions;

/**
 * The folder of a cluster with two task managers, without its processes. Whatever it says to run is
 * this JVM, which can also play ZooKeeper and the REST API.
 */
final class FakeCluster implements AutoCloseable {

    private final Path folder;
    private final Configuration options;
    private ServerSocket zooKeeper;
    private HttpServer rest;

    FakeCluster(Path folder) throws IOException {
        this.folder = folder;
        int[] ports = FreePorts.find(2);
        options =
                new ClusterSettings(1, 2, 1, MemorySize.parse("512m"))
                        .flinkOptions(folder, ports[0], ports[1]);
        Files.createDirectories(folder.resolve("conf"));
        Files.createFile(folder.resolve(ClusterFolder.MARK));
        Files.write(
                folder.resolve("conf/config.yaml"),
                ConfigurationUtils.convertConfigToWritableLines(options, true));
        for (String name : new String[] {"zookeeper", "jobmanager-1", "taskmanager-1"}) {
            runs(name);
        }
        runs("taskmanager-2");
    }

    /** Makes a process run. */
    FakeCluster runs(String name) throws IOException {
        ProcessHandle me = ProcessHandle.current();
        long started = me.info().startInstant().orElseThrow().toEpochMilli();
        return pid(name, me.pid() + " " + started);
    }

    /** Makes a process have ended. */
    FakeCluster ended(String name) throws IOException {
        return pid(name, "1 1");
    }

    private FakeCluster pid(String name, String content) throws IOException {
        Files.createDirectories(folder.resolve("pids"));
        Files.createDirectories(folder.resolve("log"));
        Files.writeString(folder.resolve("pids").resolve(name), content);
        return this;
    }

    /** Makes a job be there that has not ended. */
    FakeCluster job() throws IOException {
        Path jobs = Files.createDirectories(folder.resolve("ha/flink-moe"));
        Files.createTempFile(jobs, "submittedExecutionPlan", "");
        return this;
    }

    FakeCluster log(String name, String text) throws IOException {
        Files.writeString(folder.resolve("log").resolve(name + ".log"), text);
        return this;
    }

    /**
     * Opens ZooKeeper's port.
     *
     * @param answers whether it answers, or is as if paused
     */
    FakeCluster zooKeeper(boolean answers) throws IOException {
        String quorum = options.get(HighAvailabilityOptions.HA_ZOOKEEPER_QUORUM);
        int port = Integer.parseInt(quorum.split(":")[1]);
        zooKeeper = new ServerSocket(port, 50, InetAddress.getLoopbackAddress());
        if (answers) {
            Thread thread = new Thread(this::answer, "zookeeper");
            thread.setDaemon(true);
            thread.start();
        }
        return this;
    }

    private void answer() {
        while (true) {
            try (Socket socket = zooKeeper.accept()) {
                socket.getInputStream().readNBytes(4);
                socket.getOutputStream().write("Zookeeper version".getBytes(UTF_8));
            } catch (IOException e) {
                return;
            }
        }
    }

    /** Opens the REST API of a JobManager at which some task managers are registered. */
    FakeCluster rest(int taskManagers) throws IOException {
        int port = options.get(RestOptions.PORT);
        rest = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        serve(
                "/jobmanager/config",
                "[{\"key\": \"high-availability.storageDir\", \"value\": \"%s\"}]"
                        .formatted(options.get(HighAvailabilityOptions.HA_STORAGE_PATH)));
        serve("/overview", "{\"taskmanagers\": %d}".formatted(taskManagers));
        String ids =
                IntStream.range(0, taskManagers)
                        .mapToObj("{\"id\": \"id-%d\"}"::formatted)
                        .collect(Collectors.joining(", "));
        serve("/taskmanagers", "{\"taskmanagers\": [%s]}".formatted(ids));
        serve("/jobs", "{\"jobs\": []}");
        rest.start();
        return this;
    }

    private void serve(String path, String json) {
        rest.createContext(
                path,
                exchange -> {
                    byte[] body = json.getBytes(UTF_8);
                    exchange.sendResponseHeaders(200, body.length);
                    exchange.getResponseBody().write(body);
                    exchange.close();
                });
    }

    LocalCluster find() throws IOException {
        return LocalCluster.findStarted(folder, new Installation(folder.resolveSibling("home")));
    }

    Configuration options() {
        return options;
    }

    @Override
    public void close() throws IOException {
        if (zooKeeper != null) {
            zooKeeper.close();
        }
        if (rest != null) {
            rest.stop(0);
        }
    }
}
