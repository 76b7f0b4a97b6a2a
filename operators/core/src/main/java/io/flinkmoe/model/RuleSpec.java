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
 * @param stream true: the table is from streams to experts; null or false if it is from the values
 *     of a column
 * @param column the input column that the rule reads, one value in a row; null for the stream.
 *     Integers are compared as decimal text, bools as {@code true} and {@code false}
 * @param table from a value to the name of an expert; the match is exact
 * @param fallback the expert of all other values; null: a token with another value is rejected
 */
@PublicEvolving
public record RuleSpec(Boolean stream, String column, Map<String, String> table, String fallback) {

    public RuleSpec {
        boolean readsStream = Boolean.TRUE.equals(stream);
        if (readsStream == (column != null)) {
            throw new IllegalArgumentException(
                    "stream is %s and column is %s; set stream to true, or column to the name of an input"
                            .formatted(stream, column));
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

    /** A rule from streams to experts. */
    public static RuleSpec ofStream(Map<String, String> table, String fallback) {
        return new RuleSpec(true, null, table, fallback);
    }

    /** A rule from the values of an input column to experts. */
    public static RuleSpec ofColumn(String column, Map<String, String> table, String fallback) {
        return new RuleSpec(null, column, table, fallback);
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
