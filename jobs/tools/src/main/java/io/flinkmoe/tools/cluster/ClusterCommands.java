// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.cluster;

import io.flinkmoe.tools.machine.ChildJvm;
import io.flinkmoe.tools.text.PropertiesText;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.client.cli.CliFrontend;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.CoreOptions;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessSpec;
import org.apache.flink.runtime.clusterframework.TaskExecutorProcessUtils;
import org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint;
import org.apache.flink.runtime.taskexecutor.TaskManagerRunner;
import org.apache.flink.runtime.util.config.memory.ProcessMemoryUtils;
import org.apache.flink.runtime.zookeeper.FlinkZooKeeperQuorumPeer;

/** The commands that start the processes of a local cluster, as Flink's own scripts would do. */
@Internal
final class ClusterCommands {

    /**
     * Disables ONNX Runtime's usage reports. Makes the C library return large native buffers to the
     * system as soon as they are freed.
     */
    static final Map<String, String> ENVIRONMENT =
            Map.of("ORT_DISABLE_TELEMETRY", "1", "MALLOC_MMAP_THRESHOLD_", "1048576");

    private static final String LOGGING =
            """
            rootLogger.level = info
            rootLogger.appenderRef.file.ref = file
            logger.zookeeper.name = org.apache.flink.shaded.zookeeper3
            logger.zookeeper.level = warn
            logger.kafka.name = org.apache.kafka
            logger.kafka.level = warn
            appender.file.type = RollingFile
            appender.file.name = file
            appender.file.fileName = ${sys:log.file}
            appender.file.filePattern = ${sys:log.file}.%i
            appender.file.policies.type = Policies
            appender.file.policies.size.type = SizeBasedTriggeringPolicy
            appender.file.policies.size.size = 10MB
            appender.file.strategy.type = DefaultRolloverStrategy
            appender.file.strategy.max = 2
            appender.file.layout.type = PatternLayout
            appender.file.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %c{1} [%t] %m%n
            """;

    /**
     * ZooKeeper deletes empty container nodes when it checks them, by default once per minute. A
     * JobManager whose session ended, because it was paused, would not find its election's node
     * then, and would never lead again. This is the longest interval that ZooKeeper allows, 24
     * days.
     */
    private static final int CONTAINER_CHECK_MILLIS = Integer.MAX_VALUE;

    private final Path folder;
    private final Configuration options;
    private final String classPath;

    /**
     * @param folder the cluster's folder
     * @param options Flink's options
     * @param classPath the class path of a Flink installation
     */
    ClusterCommands(Path folder, Configuration options, String classPath) {
        this.folder = folder;
        this.options = options;
        this.classPath = classPath;
    }

    /** Writes the configuration of logging and ZooKeeper. */
    static void writeFiles(Path folder, int zooKeeperPort) throws IOException {
        Files.writeString(OwnerOnly.createFile(folder.resolve("conf/log4j.properties")), LOGGING);
        Files.writeString(
                OwnerOnly.createFile(folder.resolve("conf/zoo.cfg")),
                """
                tickTime=500
                dataDir=%s
                clientPort=%d
                clientPortAddress=127.0.0.1
                admin.enableServer=false
                """
                        .formatted(
                                PropertiesText.escape(folder.resolve("zookeeper").toString()),
                                zooKeeperPort));
    }

    List<String> zooKeeper(Path log) {
        String config = folder.resolve("conf/zoo.cfg").toString();
        return java(
                log,
                List.of(
                        "-Xmx64m",
                        "-XX:+UseSerialGC",
                        "-Dznode.container.checkIntervalMs=" + CONTAINER_CHECK_MILLIS),
                FlinkZooKeeperQuorumPeer.class,
                List.of("--zkConfigFile", config, "--peerId", "1"));
    }

    /**
     * @param first whether it uses the configured port for its web UI; other JobManagers use any
     *     free port
     */
    List<String> jobManager(Path log, boolean first) {
        List<String> arguments = new ArrayList<>(configFolder());
        arguments.addAll(tmpOption(log));
        if (!first) {
            arguments.addAll(List.of("-D", "rest.bind-port=0"));
        }
        return java(
                log,
                List.of("-Xmx448m", "-XX:MaxMetaspaceSize=256m", "-XX:+UseSerialGC"),
                StandaloneSessionClusterEntrypoint.class,
                arguments);
    }

    /**
     * A task manager needs the size of every part of its memory. Flink's scripts compute them in
     * the same way.
     */
    List<String> taskManager(Path log) {
        TaskExecutorProcessSpec memory = TaskExecutorProcessUtils.processSpecFromConfig(options);
        List<String> arguments = new ArrayList<>(configFolder());
        arguments.addAll(tmpOption(log));
        arguments.addAll(words(TaskExecutorProcessUtils.generateDynamicConfigsStr(memory)));
        List<String> jvm =
                new ArrayList<>(words(ProcessMemoryUtils.generateJvmParametersStr(memory)));
        jvm.add("-XX:+UseG1GC");
        return java(log, jvm, TaskManagerRunner.class, arguments);
    }

    /** Flink's own command line. */
    ProcessBuilder flink(Path log, List<String> arguments) throws IOException {
        OwnerOnly.createFolder(tmp(folder, log));
        ProcessBuilder builder =
                new ProcessBuilder(
                        OwnerOnly.command(
                                java(log, List.of("-Xmx512m"), CliFrontend.class, arguments)));
        builder.environment().putAll(ENVIRONMENT);
        builder.environment().put("FLINK_CONF_DIR", folder.resolve("conf").toString());
        return builder.redirectErrorStream(true);
    }

    /**
     * The folder for the temporary files of the process with a log: of Flink, of ONNX Runtime and
     * of the JVM.
     */
    static Path tmp(Path folder, Path log) {
        String name = log.getFileName().toString().replaceFirst("\\.log$", "");
        return folder.resolve("tmp").resolve(name);
    }

    private List<String> tmpOption(Path log) {
        return List.of("-D", CoreOptions.TMP_DIRS.key() + "=" + tmp(folder, log));
    }

    List<String> configFolder() {
        return List.of("--configDir", folder.resolve("conf").toString());
    }

    List<String> java(Path log, List<String> jvm, Class<?> mainClass, List<String> arguments) {
        List<String> command = ChildJvm.command();
        // Flink needs access to JDK internals, as this JVM was started with.
        for (String argument : ManagementFactory.getRuntimeMXBean().getInputArguments()) {
            if (argument.startsWith("--add-opens") || argument.startsWith("--add-exports")) {
                command.add(argument);
            }
        }
        command.addAll(jvm);
        command.add("-Dlog.file=" + log);
        command.add(
                "-Dlog4j2.configurationFile=" + folder.resolve("conf/log4j.properties").toUri());
        command.add("-Djava.io.tmpdir=" + tmp(folder, log));
        command.add("-cp");
        command.add(classPath);
        command.add(mainClass.getName());
        command.addAll(arguments);
        return command;
    }

    private static List<String> words(String text) {
        return Arrays.asList(text.strip().split("\\s+"));
    }
}
