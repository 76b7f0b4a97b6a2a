package io.flinkmoe.tools.options;

import io.flinkmoe.scoring.cli.JobOption;
import io.flinkmoe.scoring.cli.JobOptions;
import org.apache.flink.annotation.Internal;

/** The page of all options, deploy/OPTIONS.md: made from the options themselves. */
@Internal
final class OptionPage {

    private static final String HEAD =
            """
            # Options

            Every `moe.*` option, as a configuration file, `-D`, `MoeOptions`, `PlacementOptions` and `KafkaOptions`
            name it; on the command line without its `moe.`: `--capacity.size 500`. A file may also hold any option
            of Flink's. Lists (`moe.schema`) are `A;B`, and in a file also `[A, B]`; `moe.kafka.properties`
            is `KEY:VALUE,KEY:VALUE`, and in a file also a map.

            | Option | Default | Meaning |
            |---|---|---|
            """;

    private OptionPage() {}

    /** The page in Markdown, a line per option, ending in a line break. */
    static String markdown() {
        StringBuilder page = new StringBuilder(HEAD);
        for (JobOption option : JobOptions.all()) {
            String value = option.defaultText();
            page.append(
                    "| `%s` | %s | %s |\n"
                            .formatted(
                                    option.key(),
                                    value.isEmpty() ? "" : "`" + value + "`",
                                    escaped(option.description())));
        }
        return page.toString();
    }

    private static String escaped(String text) {
        return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ");
    }
}
