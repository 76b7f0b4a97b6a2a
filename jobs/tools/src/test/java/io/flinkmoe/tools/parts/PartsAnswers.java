// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.parts;

import com.fasterxml.jackson.databind.JsonNode;
import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** Compares answers, whatever their types. */
public final class PartsAnswers {

    private PartsAnswers() {}

    /**
     * The largest difference of one output from the right values, as a share of their largest
     * magnitude.
     *
     * @param output the name of the output; empty for the only one
     * @param found the values of each row by output; null for a row without an answer
     * @param right the values of all rows
     * @param isExact whether the values must be equal
     */
    static double difference(
            String output,
            List<Map<String, List<Object>>> found,
            List<Object> right,
            boolean isExact) {
        int width = right.size() / found.size();
        double largest = 1;
        double worst = 0;
        for (int row = 0; row < found.size(); row++) {
            if (found.get(row) == null) {
                continue;
            }
            Map<String, List<Object>> outputs = found.get(row);
            List<Object> values =
                    output.isEmpty() ? outputs.values().iterator().next() : outputs.get(output);
            List<Object> wanted = right.subList(row * width, (row + 1) * width);
            if (isExact && !wanted.equals(values) || values.size() != width) {
                return Double.POSITIVE_INFINITY;
            }
            for (int i = 0; i < width && !isExact; i++) {
                double difference = Math.abs((Double) values.get(i) - (Double) wanted.get(i));
                worst = difference <= worst ? worst : difference; // also if it is NaN
                largest = Math.max(largest, Math.abs((Double) wanted.get(i)));
            }
        }
        return worst / largest;
    }

    /** The numbers of a value or an array as doubles, and its texts. */
    public static List<Object> flat(Object value) {
        List<Object> flat = new ArrayList<>();
        if (value instanceof JsonNode node) {
            node.forEach(entry -> flat.add(entry.asText()));
        } else if (value instanceof Iterable<?> values) {
            values.forEach(entry -> flat.addAll(flat(entry)));
        } else if (value.getClass().isArray()) {
            for (int i = 0; i < Array.getLength(value); i++) {
                flat.addAll(flat(Array.get(value, i)));
            }
        } else if (value instanceof Number number) {
            flat.add(number.doubleValue());
        } else {
            flat.add(value instanceof CharSequence ? value.toString() : value);
        }
        return flat;
    }
}
