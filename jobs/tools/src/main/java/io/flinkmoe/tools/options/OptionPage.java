// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.options;

import io.flinkmoe.scoring.cli.JobOption;
import io.flinkmoe.scoring.cli.JobOptions;
import org.apache.flink.annotation.Internal;

/** The page of all options, deploy/OPTIONS.md, generated from the options themselves. */
@Internal
final class OptionPage {

    private static final String HEAD =
            """
            # Options

            This page lists every `moe.*` option. Configuration files, `-D`, `MoeOptions`, `PlacementOptions` and `KafkaOptions` use
            these keys. On the command line, omit `moe.`: `--capacity.size 500`. A configuration file can also contain any
            Flink option. Write lists (`moe.schema`) as `A;B`, in files also as `[A, B]`. Write `moe.kafka.properties` as
            `KEY:VALUE,KEY:VALUE`, in files also as a map.

            | Option | Default | Meaning |
            |---|---|---|
            """;

    private OptionPage() {}

    /** The page in Markdown, with one line per option. It ends with a line break. */
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
