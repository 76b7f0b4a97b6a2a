// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A gate without a router: a table that gives each token one expert, with weight 1.
 *
 * @param stream true: the table is from streams to experts. A value of an input column is not
 *     supported yet, so this is the only choice
 * @param table from a value to the name of an expert; the match is exact
 * @param fallback the expert of all other values; null: a token with another value is rejected
 */
@PublicEvolving
public record RuleSpec(boolean stream, Map<String, String> table, String fallback) {

    public RuleSpec {
        if (!stream) {
            throw new IllegalArgumentException(
                    "stream is false; allowed: true (a rule reads the stream of a token)");
        }
        table = Collections.unmodifiableMap(new TreeMap<>(Check.present("table", table)));
        for (Map.Entry<String, String> entry : table.entrySet()) {
            Check.text("table." + entry.getKey(), entry.getValue());
        }
        if (table.isEmpty() && fallback == null) {
            throw new IllegalArgumentException(
                    "table is empty and there is no fallback; set one of them");
        }
    }

    /** The names of all experts that the rule may choose. */
    TreeSet<String> experts() {
        TreeSet<String> names = new TreeSet<>(table.values());
        if (fallback != null) {
            names.add(fallback);
        }
        return names;
    }
}
