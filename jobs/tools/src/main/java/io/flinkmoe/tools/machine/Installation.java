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
 * Where the project lies that this program was built in, and what Maven left there.
 *
 * @param root the project's folder
 */
@Internal
public record Installation(Path root) {

    /** How the jars begin that the program has, but a Flink installation has not. */
    private static final List<String> OF_JOBS_AND_BROKER =
            List.of(
                    "flink-moe-",
                    "flink-connector-kafka-",
                    "kafka",
                    "avro-",
                    "picocli-",
                    "jackson-",
                    "scala-");

    /**
     * The installation that the running program belongs to, by the system property {@code
     * moe.home}.
     *
     * @throws IOException if the property is not set: the program was not started by deploy/bin/moe
     */
    public static Installation here() throws IOException {
        String home = System.getProperty("moe.home");
        if (home == null) {
            throw new IOException(
                    "The project's folder is not known: start this with deploy/bin/moe, or set the"
                            + " system property moe.home to it.");
        }
        return new Installation(Path.of(home).toAbsolutePath().normalize());
    }

    /** The demo's model and events. */
    public Path flights() {
        return root.resolve("deploy/demo/flights");
    }

    /** Where a local cluster lives unless it is told otherwise. */
    public Path clusterFolder() {
        return target().resolve("cluster");
    }

    /**
     * What a Flink installation has in its lib folder, ONNX Runtime included, and nothing of a job.
     *
     * @throws IOException if it was not built
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
                if (OF_JOBS_AND_BROKER.stream().noneMatch(name::startsWith)) {
                    jars.add(jar);
                }
            }
        }
        return String.join(File.pathSeparator, jars);
    }

    /**
     * The jar that is submitted to a cluster.
     *
     * @throws IOException if it was not built
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
        throw notBuilt("a single *-job.jar in " + folder);
    }

    private Path target() {
        return root.resolve("jobs/tools/target");
    }

    private static IOException notBuilt(String what) {
        return new IOException(
                "There is not %s. Run: mvn clean package -DskipTests".formatted(what));
    }
}
