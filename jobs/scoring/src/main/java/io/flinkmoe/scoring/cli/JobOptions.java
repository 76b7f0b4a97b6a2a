// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.cli;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.scoring.KafkaOptions;
import io.flinkmoe.scoring.record.RecordOptions;
import io.flinkmoe.scoring.record.RegistryOptions;
import java.lang.reflect.Field;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.commons.text.similarity.LevenshteinDistance;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;

/**
 * The options of the scoring job for help texts, command lines and files. The option {@code
 * moe.capacity.policy} is {@code --capacity.policy} on the command line.
 */
@Internal
public final class JobOptions {

    private static final List<JobOption> MODEL =
            Stream.of(MoeOptions.class, PlacementOptions.class)
                    .flatMap(options -> declaredIn(options).stream())
                    .toList();
    private static final List<JobOption> KAFKA = declaredIn(KafkaOptions.class);
    private static final List<JobOption> RECORDS = declaredIn(RecordOptions.class);
    private static final List<JobOption> REGISTRY = declaredIn(RegistryOptions.class);

    private JobOptions() {}

    /** All options: those of the layers, of Kafka, of records and of the registry. */
    public static List<JobOption> all() {
        return Stream.of(MODEL, KAFKA, RECORDS, REGISTRY).flatMap(List::stream).toList();
    }

    /** Adds all options to a command. */
    public static void addTo(CommandSpec command) {
        command.addArgGroup(group("%nModel and experts:%n", MODEL, 10));
        command.addArgGroup(group("%nKafka:%n", KAFKA, 11));
        command.addArgGroup(group("%nRecords:%n", RECORDS, 12));
        command.addArgGroup(group("%nSchema registry:%n", REGISTRY, 13));
        HelpWords.restoreIn(command);
    }

    /** Adds to a command the options that it shares with the scoring job. */
    public static void addTo(CommandSpec command, ConfigOption<?>... shared) {
        for (JobOption option : all()) {
            if (List.of(shared).contains(option.option())) {
                command.addOption(option.spec());
            }
        }
        HelpWords.restoreIn(command);
    }

    private static ArgGroupSpec group(String heading, List<JobOption> options, int order) {
        ArgGroupSpec.Builder group =
                ArgGroupSpec.builder()
                        .heading(heading)
                        .order(order)
                        .exclusive(false)
                        .validate(false);
        for (JobOption option : options) {
            group.addArg(option.spec());
        }
        return group.build();
    }

    /** The values of options on the command line, by key. */
    public static Map<String, String> given(ParseResult arguments) {
        Map<String, String> values = new HashMap<>();
        for (JobOption option : all()) {
            String value = arguments.matchedOptionValue(option.flag(), (String) null);
            if (value != null) {
                values.put(option.key(), value);
            }
        }
        return values;
    }

    /**
     * Merges the values of several sources, and checks them.
     *
     * @param sources values by key; a later source overrides an earlier one, also for single keys
     *     of a map
     * @throws IllegalConfigurationException if a value is invalid; the message names the key, its
     *     value and the allowed values
     */
    public static Configuration join(List<Map<String, String>> sources) {
        Map<String, String> values = new HashMap<>();
        sources.forEach(source -> values.putAll(withFlatMaps(source)));
        values.keySet().forEach(JobOptions::checkKnown);
        Configuration configuration = Configuration.fromMap(values);
        for (JobOption option : all()) {
            try {
                configuration.getOptional(option.option());
            } catch (IllegalArgumentException e) {
                throw new IllegalConfigurationException(
                        "%s is '%s'; allowed: %s"
                                .formatted(
                                        option.key(), values.get(option.key()), option.allowed()),
                        e);
            }
        }
        return configuration;
    }

    /**
     * Replaces a map that is given as one string by one key per entry. Otherwise Flink would ignore
     * single keys of the map from other sources.
     */
    private static Map<String, String> withFlatMaps(Map<String, String> source) {
        Map<String, String> flat = new HashMap<>(source);
        for (JobOption option : all()) {
            if (option.type() == Map.class && flat.containsKey(option.key())) {
                String text = flat.remove(option.key());
                map(option, text)
                        .forEach(
                                (key, value) ->
                                        flat.putIfAbsent(option.key() + "." + key, "" + value));
            }
        }
        return flat;
    }

    private static Map<?, ?> map(JobOption option, String text) {
        try {
            Configuration configuration = Configuration.fromMap(Map.of(option.key(), text));
            return (Map<?, ?>) configuration.get(option.option());
        } catch (IllegalArgumentException e) {
            // Contains neither the value nor Flink's exception, because the value can contain
            // passwords.
            throw new IllegalConfigurationException(
                    "%s is malformed; allowed: %s (its value is not shown because it can be secret)"
                            .formatted(option.key(), option.allowed()));
        }
    }

    /** Checks keys that begin with {@code moe.}. Flink checks all others. */
    private static void checkKnown(String key) {
        if (!key.startsWith(JobOption.PREFIX)
                || all().stream().anyMatch(option -> covers(option, key))) {
            return;
        }
        LevenshteinDistance distance = LevenshteinDistance.getDefaultInstance();
        String similar =
                all().stream()
                        .map(JobOption::key)
                        .sorted(
                                Comparator.comparing((String known) -> !known.startsWith(key))
                                        .thenComparing(known -> distance.apply(known, key)))
                        .limit(3)
                        .collect(Collectors.joining(", "));
        throw new IllegalConfigurationException(
                "%s is not an option; similar options: %s".formatted(key, similar));
    }

    private static boolean covers(JobOption option, String key) {
        return key.equals(option.key())
                || (option.type() == Map.class && key.startsWith(option.key() + "."));
    }

    private static List<JobOption> declaredIn(Class<?> options) {
        List<JobOption> found = new ArrayList<>();
        for (Field field : options.getFields()) {
            if (field.getType() == ConfigOption.class) {
                Type type =
                        ((ParameterizedType) field.getGenericType()).getActualTypeArguments()[0];
                Type raw = type instanceof ParameterizedType generic ? generic.getRawType() : type;
                try {
                    found.add(new JobOption((ConfigOption<?>) field.get(null), (Class<?>) raw));
                } catch (IllegalAccessException e) {
                    throw new IllegalStateException(field + " is not public", e);
                }
            }
        }
        return List.copyOf(found);
    }
}
