// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.flink.annotation.Internal;

/** Says which fields of records are dropped, because the job's schema does not have them. */
@Internal
final class DroppedFieldsWatch implements SourceWatch {

    private static final int MAX_NAMED = 10;

    private final Set<String> fields = new TreeSet<>();

    /** Takes a report of a reader. */
    synchronized void update(DroppedFields dropped) {
        fields.addAll(dropped.fields());
    }

    @Override
    public synchronized List<String> look() {
        if (fields.isEmpty()) {
            return List.of();
        }
        List<String> named = fields.stream().limit(MAX_NAMED).toList();
        int others = fields.size() - named.size();
        return List.of(
                "Fields are dropped that the pinned schema does not have: %s%s. Submit the job with a newer schema to read them."
                        .formatted(
                                String.join(", ", named),
                                others == 0 ? "" : " and %d more".formatted(others)));
    }

    @Override
    public void close() {}
}
