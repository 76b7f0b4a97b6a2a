// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.registry;

import io.flinkmoe.tools.machine.ChildJvm;
import io.flinkmoe.tools.machine.FreePorts;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * A real schema registry, Apicurio's, in a JVM of its own. It keeps its schemas in memory. The
 * build unpacks it. It ends with this JVM, even if this JVM is killed.
 */
public final class ApicurioRegistry implements AutoCloseable {

    private static final Path HOME = Path.of("../target/apicurio-registry").toAbsolutePath();
    private static final Duration START_TIMEOUT = Duration.ofSeconds(90);

    /** Kills the program when its own input ends, which this JVM holds open. */
    private static final String UNTIL_END_OF_INPUT = "\"$@\" & read -r line; kill -9 $!";

    private final String url;
    private final Process process;

    private ApicurioRegistry(int port, Path log) throws IOException {
        url = "http://127.0.0.1:" + port + "/apis/ccompat/v7";
        List<String> command = new ArrayList<>(List.of("sh", "-c", UNTIL_END_OF_INPUT, "sh"));
        command.addAll(ChildJvm.command());
        command.addAll(
                List.of(
                        "-Xmx384m",
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "-Dquarkus.http.host=127.0.0.1",
                        "-Dquarkus.http.port=" + port,
                        "-jar",
                        runner().toString()));
        process =
                new ProcessBuilder(command)
                        .directory(log.getParent().toFile())
                        .redirectErrorStream(true)
                        .redirectOutput(log.toFile())
                        .start();
    }

    /**
     * Starts a registry and waits until it answers.
     *
     * @param dir the folder for its log
     */
    public static ApicurioRegistry start(Path dir) throws IOException, InterruptedException {
        Path log = Files.createDirectories(dir).resolve("registry.log");
        ApicurioRegistry registry = new ApicurioRegistry(FreePorts.find(1)[0], log);
        long deadline = System.nanoTime() + START_TIMEOUT.toNanos();
        while (!registry.answers()) {
            if (System.nanoTime() > deadline) {
                registry.close();
                throw new IOException("the registry did not start:\n" + Files.readString(log));
            }
            Thread.sleep(100);
        }
        return registry;
    }

    private static Path runner() throws IOException {
        try (var files = Files.walk(HOME, 2)) {
            return files.filter(file -> file.toString().endsWith("-runner.jar"))
                    .findAny()
                    .orElseThrow(() -> new IOException("no registry in " + HOME));
        }
    }

    /** The base URL of Confluent's API. */
    public String url() {
        return url;
    }

    private boolean answers() throws InterruptedException {
        try {
            return send(HttpRequest.newBuilder(URI.create(url + "/subjects"))).statusCode() == 200;
        } catch (IOException e) {
            return false;
        }
    }

    /** Sends a request of a foreign client, and returns the answer's body. */
    public String post(String path, String json) throws IOException, InterruptedException {
        HttpResponse<String> response =
                send(
                        HttpRequest.newBuilder(URI.create(url + path))
                                .header("Content-Type", "application/vnd.schemaregistry.v1+json")
                                .POST(HttpRequest.BodyPublishers.ofString(json)));
        if (response.statusCode() != 200) {
            throw new IOException(path + ": " + response.statusCode() + " " + response.body());
        }
        return response.body();
    }

    private static HttpResponse<String> send(HttpRequest.Builder request)
            throws IOException, InterruptedException {
        return HttpClient.newHttpClient()
                .send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    @Override
    public void close() throws IOException {
        process.getOutputStream().close();
        try {
            process.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
