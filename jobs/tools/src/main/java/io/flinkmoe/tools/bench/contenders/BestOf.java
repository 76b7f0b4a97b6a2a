// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.contenders;

import java.time.Duration;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** The fastest of several settings of a contender. The first, uncounted run finds it. */
@Internal
public final class BestOf implements Contender {

    private final String name;
    private final List<Contender> settings;
    private Contender best;

    BestOf(String name, List<Contender> settings) {
        this.name = name;
        this.settings = settings;
    }

    @Override
    public String name() {
        return name;
    }

    /** The name of the setting that was chosen. */
    public String chosen() {
        return best.name();
    }

    @Override
    public double rate(Duration time) throws Exception {
        if (best != null) {
            return best.rate(time);
        }
        double bestRate = 0;
        for (Contender setting : settings) {
            double rate = setting.rate(time.dividedBy(2));
            if (rate > bestRate) {
                best = setting;
                bestRate = rate;
            }
        }
        return bestRate;
    }

    @Override
    public void close() {
        settings.forEach(Contender::close);
    }
}
