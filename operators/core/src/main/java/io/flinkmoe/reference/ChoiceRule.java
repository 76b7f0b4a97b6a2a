// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import org.apache.flink.annotation.Internal;

/**
 * Decides over the choices of a layer between admission and execution, as systems do that assign a
 * whole batch: it may change experts and weights, and marks what is not to run with another outcome
 * than EXECUTED or REROUTED.
 */
@Internal
@FunctionalInterface
public interface ChoiceRule {
    void apply(LayerResult routed);
}
