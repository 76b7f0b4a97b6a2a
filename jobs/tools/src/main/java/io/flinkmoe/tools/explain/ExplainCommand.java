// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.explain;

import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.cli.ConfigFile;
import io.flinkmoe.scoring.cli.JobOptions;
import io.flinkmoe.scoring.record.RecordOptions;
import io.flinkmoe.tools.text.Progress;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Finds a token in the decision log, and explains its routing. */
@Command(
        name = "explain",
        customSynopsis = "moe explain --stream=STREAM --position=N [--config=FILE] [OPTIONS]",
        description = {
            "Explain which experts a token was sent to, and why.",
            "",
            "Reads the committed entries of the decision log, which a scoring job writes with"
                    + " --decision-log.topic. Use --config with the job's configuration file, or set"
                    + " the options below, which override the file."
        },
        footer = {
            "  moe explain --config job.yaml --stream LAS --position 17",
            "  moe explain --kafka.brokers localhost:9092 --decision-log.topic decisions \\",
            "              --stream LAS --position 17"
        })
@Internal
public final class ExplainCommand implements Callable<Integer> {

    /** The options that this command shares with the scoring job. */
    public static final ConfigOption<?>[] SHARED = {
        KafkaOptions.BROKERS,
        KafkaOptions.PROPERTIES,
        RecordOptions.FORMAT,
        KafkaOptions.DECISION_LOG_TOPIC
    };

    private static final long SILENT_NANOS = 1_000_000_000;

    @Spec private CommandSpec spec;

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "The configuration file of the scoring job (YAML).")
    private Path file;

    @Option(
            names = "--stream",
            paramLabel = "STREAM",
            required = true,
            description = "The token's stream.")
    private String stream;

    @Option(
            names = "--position",
            paramLabel = "N",
            required = true,
            description = "The token's position in its stream.")
    private long position;

    @Override
    public Integer call() throws IOException {
        Configuration options = options();
        DecisionLog log = read(options);
        if (log.found().isEmpty()) {
            throw new IOException(
                    "the topic %s has no committed entry for position %d of stream %s. %s"
                            .formatted(
                                    options.get(KafkaOptions.DECISION_LOG_TOPIC),
                                    position,
                                    stream,
                                    log.summary()));
        }
        PrintWriter out = spec.commandLine().getOut();
        log.found().forEach(decision -> out.println(new Explanation(decision)));
        out.flush();
        return 0;
    }

    private Configuration options() throws IOException {
        Map<String, String> fromFile = file == null ? Map.of() : ConfigFile.read(file);
        Map<String, String> given = JobOptions.given(spec.commandLine().getParseResult());
        Configuration options = JobOptions.join(List.of(fromFile, given));
        for (ConfigOption<String> required :
                List.of(KafkaOptions.BROKERS, KafkaOptions.DECISION_LOG_TOPIC)) {
            if (options.getOptional(required).orElse("").isBlank()) {
                throw new IllegalConfigurationException(
                        "%s is missing: set it, or use --config with a file that contains it"
                                .formatted(required.key()));
            }
        }
        return options;
    }

    /** Reads the log, and shows the progress if that takes longer than a second. */
    private DecisionLog read(Configuration options) throws IOException {
        Progress progress = new Progress(spec.commandLine().getErr(), System.console() != null);
        long begin = System.nanoTime();
        return DecisionLog.read(
                options,
                stream,
                position,
                (records, all) -> {
                    String line = "read %,d of %,d records".formatted(records, all);
                    if (System.nanoTime() - begin < SILENT_NANOS) {
                        return;
                    }
                    if (records < all) {
                        progress.show(line);
                    } else {
                        progress.done(line);
                    }
                });
    }
}
