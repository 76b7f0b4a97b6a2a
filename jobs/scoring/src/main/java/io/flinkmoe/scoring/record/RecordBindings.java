// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.kafka.record.RecordBinding;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;

/** Makes of the {@link RecordOptions} what binds fields to the inputs of a model. */
@Internal
final class RecordBindings {

    /** Keeps all fields. */
    static final String ALL = "all";

    private static final String FIELD = ".field";
    static final String MISSING = ".missing";
    static final String SEPARATOR = ";";

    private RecordBindings() {}

    /**
     * @throws IllegalConfigurationException if the names of the features are not those of inputs;
     *     the message names the option
     */
    static RecordBinding of(ReadableConfig options, InputLayout inputs) {
        RecordBinding binding = RecordBinding.ofStream(options.get(RecordOptions.STREAM).strip());
        String time = options.get(RecordOptions.TIMESTAMP_FIELD);
        if (time != null) {
            binding = binding.timestamp(time, options.get(RecordOptions.TIMESTAMP_UNIT));
        }
        String position = options.get(RecordOptions.POSITION);
        if (position != null) {
            binding = binding.position(position);
        }
        List<String> errors = new ArrayList<>();
        for (Map.Entry<String, Feature> entry : features(options, inputs, errors).entrySet()) {
            try {
                binding = entry.getValue().bind(binding, entry.getKey());
            } catch (IllegalArgumentException e) {
                errors.add(e.getMessage());
            }
        }
        if (!errors.isEmpty()) {
            throw refused(errors);
        }
        return binding;
    }

    /** The errors of records that do not fit the model or the schema. */
    static IllegalConfigurationException refused(List<String> errors) {
        return new IllegalConfigurationException("moe.record: " + String.join("; ", errors));
    }

    /**
     * The fields of an input.
     *
     * @param fields separated; null: the field of the input's name
     * @param missing what stands for a missing value; null: the model says it
     */
    private record Feature(String fields, String missing) {

        RecordBinding bind(RecordBinding binding, String input) {
            String[] paths = fields == null ? new String[] {input} : fields.split(SEPARATOR, -1);
            if (missing == null) {
                return binding.feature(input, paths);
            } else if (paths.length > 1) {
                throw new IllegalArgumentException(
                        "%s.%s%s is '%s', and it has %d fields; allowed with %s: one field"
                                .formatted(
                                        "features",
                                        input,
                                        MISSING,
                                        missing,
                                        paths.length,
                                        MISSING.substring(1)));
            }
            return binding.featureOr(input, missing, paths[0]);
        }
    }

    /** The features by the names of inputs, which can have dots. */
    private static Map<String, Feature> features(
            ReadableConfig options, InputLayout inputs, List<String> errors) {
        Map<String, String> given = new TreeMap<>(options.get(RecordOptions.FEATURES));
        Map<String, Feature> features = new LinkedHashMap<>();
        for (InputSpec input : inputs.inputs()) {
            String name = input.name();
            String plain = given.remove(name);
            String fields = given.remove(name + FIELD);
            String missing = given.remove(name + MISSING);
            if (plain != null && fields != null) {
                errors.add(
                        "features.%s and features.%s%s are both set; allowed: one of them"
                                .formatted(name, name, FIELD));
            }
            if (plain != null || fields != null || missing != null) {
                features.put(name, new Feature(plain != null ? plain : fields, missing));
            }
        }
        if (!given.isEmpty()) {
            errors.add(unknown(given.keySet(), inputs));
        }
        return features;
    }

    private static String unknown(Set<String> keys, InputLayout inputs) {
        List<String> quoted = new ArrayList<>();
        keys.forEach(key -> quoted.add("features." + key));
        return "%s: no input of the model has this name; its inputs are %s, and each may also have .field and .missing"
                .formatted(
                        String.join(", ", quoted),
                        inputs.inputs().stream()
                                .map(input -> input.name() + ": " + input.column().describe())
                                .collect(Collectors.joining(", ")));
    }
}
