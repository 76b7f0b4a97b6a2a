// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.capacity;

import io.flinkmoe.capacity.AdmissionMode;
import io.flinkmoe.capacity.AdmissionOrder;
import io.flinkmoe.config.MoeOptions;
import io.flinkmoe.config.MoeOptions.CapacityPolicy;
import io.flinkmoe.config.MoeOptions.OverflowPolicy;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;

/**
 * A capacity and an overflow policy.
 *
 * @param factor the capacity factor; infinite: dropless, without windows
 * @param overflow null if dropless
 */
@Internal
public record CapacitySetting(double factor, OverflowPolicy overflow) {

    private static final double[] FACTORS = {0.5, 0.75, 1, 1.25, 1.5, 2};

    /** The capacity window, in event time. */
    static final Duration WINDOW = Duration.ofHours(1);

    public static final CapacitySetting DROPLESS =
            new CapacitySetting(Double.POSITIVE_INFINITY, null);

    /** All settings that are compared: each factor with each policy, then dropless. */
    public static List<CapacitySetting> all() {
        List<CapacitySetting> all = new ArrayList<>();
        for (double factor : FACTORS) {
            for (OverflowPolicy overflow : OverflowPolicy.values()) {
                all.add(new CapacitySetting(factor, overflow));
            }
        }
        all.add(DROPLESS);
        return all;
    }

    public boolean isDropless() {
        return overflow == null;
    }

    /** The options of the layers. */
    Configuration options(AdmissionOrder order) {
        Configuration options = new Configuration();
        if (!isDropless()) {
            options.set(MoeOptions.CAPACITY, CapacityPolicy.FACTOR);
            options.set(MoeOptions.CAPACITY_FACTOR, factor);
            options.set(MoeOptions.CAPACITY_WINDOW_SIZE, WINDOW);
            options.set(MoeOptions.CAPACITY_ADMISSION, AdmissionMode.PRIORITIZED);
            options.set(MoeOptions.CAPACITY_ORDER, order);
            options.set(MoeOptions.OVERFLOW, overflow);
        }
        return options;
    }

    /** The factor as shown in tables. */
    public String factorName() {
        return isDropless() ? "dropless" : String.valueOf(factor).replaceFirst("\\.0$", "");
    }

    /** The policy as written in options. */
    public String overflowName() {
        return isDropless() ? "-" : overflow.toString();
    }

    @Override
    public String toString() {
        return isDropless() ? factorName() : factorName() + ", " + overflowName();
    }
}
