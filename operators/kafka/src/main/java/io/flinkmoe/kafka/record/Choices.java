// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.api.Decision;
import io.flinkmoe.api.LayerNames;
import java.io.IOException;
import java.io.Serializable;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The choices of tokens as answers have them: one for each gate and each expert that it chose. A
 * choice with the weight 0 in all of several gates is there once, without a gate.
 *
 * @param areWanted whether answers have them
 * @param layers the names of gates and experts
 */
@Internal
record Choices(boolean areWanted, List<LayerNames> layers) implements Serializable {

    private static final LayerNames NUMBERS = new LayerNames(List.of(), List.of());

    Choices {
        layers = List.copyOf(layers);
    }

    /** Takes choices. */
    interface Consumer {

        /**
         * @param layer the number of the layer, from 0
         * @param gate the name of the gate; null if there are several, and none gave a weight
         * @param expert the name of the expert; null if the token could not be routed
         * @param weight the factor of the expert's output in the gate's sum
         */
        void accept(int layer, String gate, String expert, float weight, String outcome)
                throws IOException;
    }

    /** Gives all choices of a token in order of layers, ranks and gates. */
    void forEach(Decision[] decisions, Consumer consumer) throws IOException {
        for (int layer = 0; layer < decisions.length; layer++) {
            LayerNames names = layer < layers.size() ? layers.get(layer) : NUMBERS;
            Decision decision = decisions[layer];
            for (int choice = 0; choice < decision.experts().length; choice++) {
                int number = decision.experts()[choice];
                String expert = number < 0 ? null : names.expert(number);
                String outcome = decision.outcomes()[choice].name();
                boolean isSaid = false;
                for (int gate = 0; gate < gates(decision); gate++) {
                    float weight = decision.weights()[gate * decision.experts().length + choice];
                    if (weight != 0 || gates(decision) == 1) {
                        isSaid = true;
                        consumer.accept(layer, names.gate(gate), expert, weight, outcome);
                    }
                }
                if (!isSaid) {
                    consumer.accept(layer, null, expert, 0, outcome);
                }
            }
        }
    }

    /** The number of choices of a token. */
    int count(Decision[] decisions) {
        int count = 0;
        for (Decision decision : decisions) {
            int k = decision.experts().length;
            for (int choice = 0; choice < k; choice++) {
                int said = 0;
                for (int at = choice; at < decision.weights().length; at += k) {
                    said += decision.weights()[at] != 0 ? 1 : 0;
                }
                count += gates(decision) == 1 ? 1 : Math.max(1, said);
            }
        }
        return count;
    }

    private static int gates(Decision decision) {
        return decision.experts().length == 0
                ? 0
                : decision.weights().length / decision.experts().length;
    }
}
