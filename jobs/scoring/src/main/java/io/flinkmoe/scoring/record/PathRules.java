// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import io.flinkmoe.kafka.decode.FieldPath;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ReadableConfig;

/** Checks that the paths of fields in the {@link RecordOptions} are paths. */
@Internal
final class PathRules {

    private final ReadableConfig options;
    private final Refusals refusals;

    private PathRules(ReadableConfig options, Refusals refusals) {
        this.options = options;
        this.refusals = refusals;
    }

    static void check(ReadableConfig options, Refusals refusals) {
        new PathRules(options, refusals).check();
    }

    private void check() {
        checkStream(refusals.text(RecordOptions.STREAM));
        for (ConfigOption<String> option :
                List.of(RecordOptions.TIMESTAMP_FIELD, RecordOptions.POSITION)) {
            options.getOptional(option).ifPresent(path -> check(option.key(), path));
        }
        Map<String, String> features = new TreeMap<>(options.get(RecordOptions.FEATURES));
        features.forEach(this::checkFeature);
        for (String path : options.get(RecordOptions.KEEP)) {
            check(RecordOptions.KEEP.key(), path);
        }
    }

    private void checkStream(String stream) {
        boolean isKey = stream.startsWith(RecordOptions.KEY_FIELD);
        String path = isKey ? stream.substring(RecordOptions.KEY_FIELD.length()) : stream;
        // One without a name is refused otherwise.
        if (!path.isEmpty() && !stream.startsWith(RecordOptions.HEADER)) {
            check(RecordOptions.STREAM.key(), path);
        }
    }

    /** What stands for a missing value is no path. */
    private void checkFeature(String name, String fields) {
        if (!name.endsWith(RecordBindings.MISSING)) {
            for (String path : fields.split(RecordBindings.SEPARATOR, -1)) {
                check(RecordOptions.FEATURES.key() + "." + name, path);
            }
        }
    }

    private void check(String key, String path) {
        if (!FieldPath.isPath(path)) {
            refusals.add(
                    "%s has the path '%s'; allowed: names separated by dots, none of them empty, such as geo.country",
                    key, path);
        }
    }
}
