// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.statistics;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/** The tokens per second of several contenders, by round. */
@Internal
public final class Rates {

    private final Map<String, List<Double>> byContender = new LinkedHashMap<>();

    public void add(String contender, double rate) {
        byContender.computeIfAbsent(contender, name -> new ArrayList<>()).add(rate);
    }

    public Set<String> contenders() {
        return byContender.keySet();
    }

    public Spread of(String contender) {
        return Spread.of(byContender.get(contender));
    }

    /**
     * The speed of one contender relative to another, over the rounds.
     *
     * @return null if one of them was not measured
     */
    public Spread ratio(String contender, String to) {
        List<Double> rates = byContender.get(contender);
        List<Double> others = byContender.get(to);
        if (rates == null || others == null) {
            return null;
        }
        List<Double> ratios = new ArrayList<>();
        for (int round = 0; round < rates.size(); round++) {
            ratios.add(rates.get(round) / others.get(round));
        }
        return Spread.of(ratios);
    }
}
