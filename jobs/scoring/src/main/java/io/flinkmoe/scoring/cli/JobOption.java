// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.configuration.description.HtmlFormatter;
import org.apache.flink.util.TimeUtils;
import picocli.CommandLine.Model.OptionSpec;

/**
 * An option and its type.
 *
 * @param type the class of its values; the elements of List and Map are strings
 */
@Internal
public record JobOption(ConfigOption<?> option, Class<?> type) {

    static final String PREFIX = "moe.";

    public String key() {
        return option.key();
    }

    String flag() {
        return "--" + key().substring(PREFIX.length());
    }

    /** The description as plain text. */
    public String description() {
        return new HtmlFormatter()
                .format(option.description())
                .replace("&lt;", "<")
                .replace("&gt;", ">");
    }

    /** The default as users write it; empty if there is none. */
    public String defaultText() {
        Object value = option.defaultValue();
        if (value == null || value.equals(List.of()) || value.equals(Map.of())) {
            return "";
        }
        if (value instanceof Duration duration) {
            return duration.isZero() ? "0" : TimeUtils.formatWithHighestUnit(duration);
        }
        return value instanceof Enum<?> constant ? written(constant) : value.toString();
    }

    /** Describes the allowed values. */
    public String allowed() {
        if (type.isEnum()) {
            return constants(", ");
        } else if (type == Duration.class) {
            return "a duration such as 500 ms, 5 s, 1 min or 2 h";
        } else if (type == MemorySize.class) {
            return "a size such as 512 mb or 4 gb";
        } else if (type == Boolean.class) {
            return "true, false";
        } else if (Number.class.isAssignableFrom(type)) {
            return type == Integer.class || type == Long.class ? "a whole number" : "a number";
        } else if (type == Map.class) {
            return "key:value pairs separated by commas";
        }
        return "text";
    }

    /** This option for a command line. */
    OptionSpec spec() {
        String value = defaultText();
        String text = description() + (value.isEmpty() ? "" : " Default: " + value);
        OptionSpec.Builder spec =
                OptionSpec.builder(flag())
                        .type(String.class)
                        .paramLabel(label())
                        .description(HelpWords.join(text.replace("%", "%%")));
        if (type == Boolean.class) {
            spec.arity("0..1").fallbackValue("true");
        }
        return spec.build();
    }

    private String label() {
        if (type.isEnum()) {
            return constants("|");
        } else if (type == Duration.class) {
            return "DURATION";
        } else if (type == MemorySize.class) {
            return "SIZE";
        } else if (Number.class.isAssignableFrom(type)) {
            return "N";
        } else if (type == Boolean.class) {
            return "true|false";
        }
        return type == Map.class ? "KEY:VALUE,..." : type == List.class ? "A;B;..." : "TEXT";
    }

    private String constants(String separator) {
        return Stream.of(type.getEnumConstants())
                .map(constant -> written((Enum<?>) constant))
                .collect(Collectors.joining(separator));
    }

    /** Flink ignores the case of enum values. */
    private static String written(Enum<?> constant) {
        return constant.toString().toLowerCase(Locale.ROOT);
    }
}
