package io.flinkmoe.scoring.cli;

import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.PlacementOptions;
import io.flinkmoe.scoring.KafkaOptions;
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
 * The options of the scoring job as a user meets them: in the help, on the command line, in a file.
 * An option {@code moe.capacity.policy} is {@code --capacity.policy} on the command line.
 */
@Internal
public final class JobOptions {

    static final String PREFIX = "moe.";

    private static final List<JobOption> MODEL =
            Stream.of(MoeOptions.class, PlacementOptions.class)
                    .flatMap(options -> declaredIn(options).stream())
                    .toList();
    private static final List<JobOption> KAFKA = declaredIn(KafkaOptions.class);

    private JobOptions() {}

    /** All options: those of the layers, then those of Kafka, in the order of their classes. */
    public static List<JobOption> all() {
        return Stream.concat(MODEL.stream(), KAFKA.stream()).toList();
    }

    /** Adds an option per key to a command. */
    public static void addTo(CommandSpec command) {
        command.addArgGroup(group("%nModel and experts:%n", MODEL, 10));
        command.addArgGroup(group("%nKafka:%n", KAFKA, 11));
    }

    /** Adds to a command those options that it shares with the scoring job. */
    public static void addTo(CommandSpec command, ConfigOption<?>... shared) {
        for (JobOption option : all()) {
            if (List.of(shared).contains(option.option())) {
                command.addOption(option.spec());
            }
        }
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

    /** The values given as options of their own, by key. */
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
     * Joins the values of several places, and checks them.
     *
     * @param places values by key; a later place wins over an earlier one, key by key of a map too
     * @throws IllegalConfigurationException naming the key, its value and what is allowed
     */
    public static Configuration join(List<Map<String, String>> places) {
        Map<String, String> values = new HashMap<>();
        places.forEach(place -> values.putAll(withFlatMaps(place)));
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
     * Has a map's keys behind that of its option: beside a map given as one text, Flink sees no
     * such key.
     */
    private static Map<String, String> withFlatMaps(Map<String, String> place) {
        Map<String, String> flat = new HashMap<>(place);
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
            // Neither the value nor Flink's exception, which has it: passwords are in it.
            throw new IllegalConfigurationException(
                    "%s is malformed; allowed: %s (its value may be secret, thus not shown)"
                            .formatted(option.key(), option.allowed()));
        }
    }

    /** Other keys than ours are Flink's, and Flink's own affair. */
    private static void checkKnown(String key) {
        if (!key.startsWith(PREFIX) || all().stream().anyMatch(option -> covers(option, key))) {
            return;
        }
        LevenshteinDistance distance = LevenshteinDistance.getDefaultInstance();
        String near =
                all().stream()
                        .map(JobOption::key)
                        .sorted(
                                Comparator.comparing((String known) -> !known.startsWith(key))
                                        .thenComparing(known -> distance.apply(known, key)))
                        .limit(3)
                        .collect(Collectors.joining(", "));
        throw new IllegalConfigurationException(
                "%s is not an option; near to it are: %s".formatted(key, near));
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
