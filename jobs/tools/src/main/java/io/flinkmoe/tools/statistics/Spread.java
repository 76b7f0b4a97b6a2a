// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.statistics;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.List;
import org.apache.commons.math3.stat.StatUtils;
import org.apache.commons.math3.stat.descriptive.rank.Median;
import org.apache.flink.annotation.Internal;

/** The median, minimum and maximum of several rounds. */
@Internal
public record Spread(double median, double min, double max) {

    public static Spread of(List<Double> values) {
        double[] all = values.stream().mapToDouble(Double::doubleValue).toArray();
        return new Spread(new Median().evaluate(all), StatUtils.min(all), StatUtils.max(all));
    }

    public ObjectNode toJson() {
        return JsonNodeFactory.instance
                .objectNode()
                .put("median", rounded(median))
                .put("min", rounded(min))
                .put("max", rounded(max));
    }

    /** Rounds to four significant digits. More digits would be noise. */
    private static double rounded(double value) {
        return new BigDecimal(value).round(new MathContext(4)).doubleValue();
    }
}
