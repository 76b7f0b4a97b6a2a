// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.machine;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * The folder of the project that this program was built in, and the files that Maven created there.
 *
 * @param root the project's folder
 */
@Internal
public record Installation(Path root) {

    /** The prefixes of jars that this program has, but a Flink installation does not have. */
    private static final List<String> NOT_IN_FLINK =
            List.of(
                    "flink-moe-",
                    "flink-connector-kafka-",
                    "kafka",
                    "avro-",
                    "picocli-",
                    "jackson-",
                    "scala-");

    /**
     * The installation of the running program, from the system property {@code moe.home}.
     *
     * @throws IOException if the property is not set because deploy/bin/moe did not start the
     *     program
     */
    public static Installation here() throws IOException {
        String home = System.getProperty("moe.home");
        if (home == null) {
            throw new IOException(
                    "The project's folder is unknown: start the program with deploy/bin/moe, or set"
                            + " the system property moe.home to the folder.");
        }
        return new Installation(Path.of(home).toAbsolutePath().normalize());
    }

    /** The demo's model of late flights, and its events. */
    public Path flights() {
        return root.resolve("deploy/demo/flights");
    }

    /** The demo's model of delays. */
    public Path delay() {
        return root.resolve("deploy/demo/delay");
    }

    /** The default folder of a local cluster. */
    public Path clusterFolder() {
        return target().resolve("cluster");
    }

    /**
     * The class path of a Flink installation, with ONNX Runtime and without the classes of a job.
     *
     * @throws IOException if the project is not built
     */
    public String flinkClassPath() throws IOException {
        List<String> jars = new ArrayList<>();
        for (String list : List.of("runtime.classpath", "provided.classpath")) {
            Path file = target().resolve(list);
            if (!Files.isRegularFile(file)) {
                throw notBuilt(file.toString());
            }
            for (String jar : Files.readString(file).strip().split(File.pathSeparator)) {
                String name = Path.of(jar).getFileName().toString();
                if (NOT_IN_FLINK.stream().noneMatch(name::startsWith)) {
                    jars.add(jar);
                }
            }
        }
        return String.join(File.pathSeparator, jars);
    }

    /**
     * The jar that is submitted to a cluster.
     *
     * @throws IOException if the jar is not built
     */
    public Path jobJar() throws IOException {
        Path folder = root.resolve("jobs/scoring/target");
        if (Files.isDirectory(folder)) {
            try (Stream<Path> files = Files.list(folder)) {
                List<Path> jars =
                        files.filter(file -> file.toString().endsWith("-job.jar")).toList();
                if (jars.size() == 1) {
                    return jars.get(0);
                }
            }
        }
        throw notBuilt("single *-job.jar in " + folder);
    }

    private Path target() {
        return root.resolve("jobs/tools/target");
    }

    private static IOException notBuilt(String what) {
        return new IOException(
                "The project is not built: there is no %s. Run: mvn clean package -DskipTests"
                        .formatted(what));
    }
}
