package io.flinkmoe.jobs;

import io.flinkmoe.jobs.JobOptions.JobOption;

/** The table of all options in the README: made from the options themselves, and held to them. */
final class OptionTable {

    private OptionTable() {}

    /** The table in Markdown, a line per option, ending in a line break. */
    static String markdown() {
        StringBuilder table = new StringBuilder("| Option | Default | Meaning |\n|---|---|---|\n");
        for (JobOption option : JobOptions.all()) {
            String value = option.defaultText();
            table.append(
                    "| `%s` | %s | %s |\n"
                            .formatted(
                                    option.key(),
                                    value.isEmpty() ? "" : "`" + value + "`",
                                    escaped(option.description())));
        }
        return table.toString();
    }

    private static String escaped(String text) {
        return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ");
    }
}
