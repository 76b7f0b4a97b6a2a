// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.demo;

import io.flinkmoe.model.LayerSpec;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** How each of G gates distributes its choices over N experts. */
@Internal
final class GateShares {

    private final List<String> names;
    private final double[][] choices;
    private final double[][] weights;

    /**
     * @param names the names of the gates, in order
     * @param numExperts N
     */
    GateShares(DemoResults results, List<String> names, int numExperts) {
        this.names = names;
        choices = new double[names.size()][numExperts];
        weights = new double[names.size()][numExperts];
        for (int token = 0; token < results.tokens(); token++) {
            if (results.isScored(token)) {
                add(results.experts(token), results.gateWeights(token));
            }
        }
    }

    /** Those of the gates of a layer. */
    static GateShares of(DemoResults results, LayerSpec layer) {
        return new GateShares(results, layer.gateNames(), layer.numExperts());
    }

    /** Adds the choices of a token. A gate has chosen an expert if the weight is not 0. */
    private void add(int[] experts, float[] ofGates) {
        for (int i = 0; i < ofGates.length; i++) {
            int gate = i / experts.length;
            int expert = experts[i % experts.length];
            if (expert >= 0 && ofGates[i] != 0) {
                choices[gate][expert]++;
                weights[gate][expert] += ofGates[i];
            }
        }
    }

    /** Whether there are several gates. */
    boolean areSeveral() {
        return names.size() > 1;
    }

    /** The names of the gates. */
    List<String> names() {
        return names;
    }

    /** The share of an expert in the choices of a gate, from 0 to 1; NaN without choices. */
    double share(int gate, int expert) {
        double all = 0;
        for (double n : choices[gate]) {
            all += n;
        }
        return choices[gate][expert] / all;
    }

    /** The mean weight of an expert in the choices of a gate; NaN if the gate never chose it. */
    double meanWeight(int gate, int expert) {
        return weights[gate][expert] / choices[gate][expert];
    }

    /** N. */
    int numExperts() {
        return choices[0].length;
    }
}
