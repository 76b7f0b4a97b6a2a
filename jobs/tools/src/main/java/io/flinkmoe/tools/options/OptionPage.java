// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.options;

import io.flinkmoe.scoring.cli.JobOption;
import io.flinkmoe.scoring.cli.JobOptions;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/** The page of all options, deploy/OPTIONS.md, generated from the options themselves. */
@Internal
final class OptionPage {

    private static final String HEAD =
            """
            # Options

            All options, by their full key. In a file and with `-D`, use the key as shown (`moe.capacity.size`); on the command
            line, drop `moe.` (`--capacity.size 500`). A file may also contain Flink options. A list is `A;B`, in a file also
            `[A, B]`. A map is `KEY:VALUE,KEY:VALUE`, in a file also a YAML map. In Java, the options are constants of `MoeOptions`,
            `PlacementOptions` and, for the scoring job, `KafkaOptions`, `RecordOptions` and `RegistryOptions`.

            In the descriptions, a layer has N experts, the router selects k of them per token, and a window has T tokens. The
            [glossary](../operators/README.md#glossary) defines the other terms.
            """;

    private static final String TABLE_HEAD =
            """

            ## %s

            | option | default | allowed | meaning |
            |---|---|---|---|
            """;

    /** The sections of the page, in order. Every option is in one of them. */
    enum Section {
        MODEL("Model", "moe.bundle", "moe.lanes", "moe.expert.parallelism", "moe.expert.on-error"),
        BATCHING("Batching", "moe.latency", "moe.batch", "moe.expert.batch", "moe.model"),
        CAPACITY("Capacity", "moe.capacity"),
        OVERFLOW("Overflow", "moe.overflow"),
        DEVICES(
                "Devices and slots",
                "moe.expert.placement",
                "moe.expert.device",
                "moe.expert.slot",
                "moe.expert.slot-sharing-group"),
        KAFKA(
                "Kafka",
                "moe.kafka",
                "moe.source",
                "moe.sink",
                "moe.dead-letter",
                "moe.decision-log",
                "moe.late",
                "moe.take-over"),
        RECORDS("Records", "moe.format", "moe.schema", "moe.record", "moe.key"),
        REGISTRY("Schema registry", "moe.registry");

        private final String title;
        private final List<String> prefixes;

        /**
         * @param prefixes keys of options, or of groups of options
         */
        Section(String title, String... prefixes) {
            this.title = title;
            this.prefixes = List.of(prefixes);
        }

        boolean covers(JobOption option) {
            String key = option.key();
            return prefixes.stream()
                    .anyMatch(prefix -> key.equals(prefix) || key.startsWith(prefix + "."));
        }
    }

    private OptionPage() {}

    /** The page in Markdown, with a table per section. It ends with a line break. */
    static String markdown() {
        StringBuilder page = new StringBuilder(HEAD);
        for (Section section : Section.values()) {
            page.append(TABLE_HEAD.formatted(section.title));
            JobOptions.all().stream()
                    .filter(section::covers)
                    .forEach(option -> page.append(row(option)));
        }
        return page.toString();
    }

    private static String row(JobOption option) {
        return "| `%s` | %s | %s | %s |\n"
                .formatted(
                        option.key(),
                        code(option.defaultText()),
                        allowed(option),
                        escaped(option.description()));
    }

    private static String allowed(JobOption option) {
        if (option.type().isEnum()) {
            return values(Arrays.stream(option.type().getEnumConstants()));
        } else if (option.type() == Boolean.class) {
            return values(Stream.of(true, false));
        } else if (option.type() == List.class) {
            return "a list";
        } else if (option.type() == Map.class) {
            return "a map";
        }
        return option.allowed();
    }

    private static String values(Stream<?> values) {
        return values.map(value -> code(value.toString().toLowerCase(Locale.ROOT)))
                .collect(Collectors.joining(", "));
    }

    private static String code(String text) {
        return text.isEmpty() ? "" : "`" + text + "`";
    }

    private static String escaped(String text) {
        return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ");
    }
}
