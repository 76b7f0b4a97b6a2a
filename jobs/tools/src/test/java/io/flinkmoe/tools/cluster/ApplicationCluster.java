// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ConfigurationUtils;
import org.apache.flink.configuration.GlobalConfiguration;
import org.apache.flink.container.entrypoint.StandaloneApplicationClusterEntryPoint;

/**
 * What an image would run: the folder that {@code deploy/container/layout} makes, with the jars
 * that Maven resolved in place of Flink's own, and the two processes of a cluster in application
 * mode.
 */
public final class ApplicationCluster implements AutoCloseable {

    private static final Path CONTAINER = Path.of("..", "..", "deploy", "container");

    /** What a Flink installation has in lib/, in the few jars of a distribution. */
    private static final Pattern OF_FLINK =
            Pattern.compile(
                    "(flink-(?!moe|connector-kafka|metrics-prometheus|test).*"
                            + "|commons-(cli|collections|compress|io|lang3|math3|text)-.*"
                            + "|kryo-.*|minlog-.*|objenesis-.*|reflectasm-.*|javassist-.*"
                            + "|snakeyaml-engine-.*|async-profiler-.*|slf4j-api-.*|log4j-.*)[.]jar");

    private static final Pattern REPORTER = Pattern.compile("flink-metrics-prometheus-.*[.]jar");

    private final Path home;
    private final Configuration options;
    private final List<Process> processes = new ArrayList<>();

    /**
     * Lays out the folder.
     *
     * @param home the new folder: FLINK_HOME
     * @param overrides what a container would be told in FLINK_PROPERTIES
     */
    public ApplicationCluster(Path home, Configuration overrides) throws Exception {
        this.home = home;
        Process layout =
                new ProcessBuilder(CONTAINER.resolve("layout").toString(), home.toString())
                        .inheritIO()
                        .start();
        if (layout.waitFor() != 0) {
            throw new IOException("deploy/container/layout ended with " + layout.exitValue());
        }
        copy(OF_FLINK, home.resolve("lib"));
        copy(REPORTER, Files.createDirectories(home.resolve("plugins/metrics-prometheus")));
        Path conf = home.resolve("conf");
        options = GlobalConfiguration.loadConfiguration(conf.toString());
        options.addAll(overrides);
        ClusterCommands.writeFiles(home, 0);
        Files.write(
                conf.resolve("config.yaml"),
                ConfigurationUtils.convertConfigToWritableLines(options, true));
        for (String process : List.of("jobmanager", "taskmanager")) {
            Files.createDirectories(ClusterCommands.tmp(home, log(process)));
        }
    }

    private static void copy(Pattern names, Path into) throws IOException {
        for (String jar : System.getProperty("java.class.path").split(File.pathSeparator)) {
            Path file = Path.of(jar);
            if (names.matcher(file.getFileName().toString()).matches()) {
                Files.copy(file, into.resolve(file.getFileName()));
            }
        }
    }

    /** Starts a job manager with a job, and a task manager. */
    public Process start(Class<?> jobClass, List<String> arguments) throws IOException {
        ClusterCommands commands = new ClusterCommands(home, options, lib());
        List<String> application = new ArrayList<>(commands.configFolder());
        application.addAll(List.of("--job-classname", jobClass.getName()));
        application.addAll(arguments);
        Process jobManager =
                start(
                        "jobmanager",
                        commands.java(
                                log("jobmanager"),
                                List.of("-Xmx448m", "-XX:+UseSerialGC"),
                                StandaloneApplicationClusterEntryPoint.class,
                                application));
        start("taskmanager", commands.taskManager(log("taskmanager")));
        return jobManager;
    }

    /** The class path of Flink's scripts: lib/, and nothing else. */
    private String lib() throws IOException {
        try (Stream<Path> jars = Files.list(home.resolve("lib"))) {
            return String.join(":", jars.map(Path::toString).sorted().toList());
        }
    }

    public Path log(String process) {
        return home.resolve(process + ".log");
    }

    private Process start(String name, List<String> command) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).directory(home.toFile());
        builder.environment().keySet().removeIf(key -> key.matches("ORT_.*|MALLOC_.*|FLINK_.*"));
        builder.environment().putAll(imageEnvironment());
        builder.environment().put("FLINK_LIB_DIR", home.resolve("lib").toString());
        builder.environment().put("FLINK_PLUGINS_DIR", home.resolve("plugins").toString());
        Path out = home.resolve(name + ".out");
        Process process = builder.redirectErrorStream(true).redirectOutput(out.toFile()).start();
        processes.add(process);
        return process;
    }

    /** What the Dockerfile sets. */
    private static Map<String, String> imageEnvironment() throws IOException {
        Matcher lines =
                Pattern.compile("(?m)^ENV (\\w+)=(.*)$")
                        .matcher(Files.readString(CONTAINER.resolve("Dockerfile")));
        Map<String, String> environment = new HashMap<>();
        while (lines.find()) {
            environment.put(lines.group(1), lines.group(2));
        }
        return environment;
    }

    @Override
    public void close() throws IOException {
        for (Process process : processes) {
            process.destroyForcibly();
            try {
                process.waitFor(10, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }
}
