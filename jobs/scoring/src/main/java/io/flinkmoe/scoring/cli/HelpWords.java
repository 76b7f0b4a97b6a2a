// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import java.util.HashMap;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.flink.annotation.Internal;
import picocli.CommandLine.IHelpSectionRenderer;
import picocli.CommandLine.Model.CommandSpec;

/**
 * Keeps keys and names of files in one line of a usage text. Picocli breaks lines after dots and
 * hyphens, so letters stand for these until the lines are broken.
 */
@Internal
final class HelpWords {

    /** A word with a dot inside, such as {@code moe.capacity.policy}. */
    private static final Pattern DOTTED = Pattern.compile("[\\w-]+(\\.[\\w-]+)+");

    private static final char DOT = '\uA78F';
    private static final char HYPHEN = '\uA78C';

    private HelpWords() {}

    /** Replaces the dots and hyphens of words with dots. */
    static String join(String text) {
        return DOTTED.matcher(text)
                .replaceAll(word -> word.group().replace('.', DOT).replace('-', HYPHEN));
    }

    /** Lets a command print what {@link #join} has replaced. */
    static void restoreIn(CommandSpec command) {
        Map<String, IHelpSectionRenderer> sections = new HashMap<>();
        command.usageMessage()
                .sectionMap()
                .forEach(
                        (key, section) ->
                                sections.put(
                                        key,
                                        help ->
                                                section.render(help)
                                                        .replace(DOT, '.')
                                                        .replace(HYPHEN, '-')));
        command.usageMessage().sectionMap(sections);
    }
}
