// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerSpec;
import org.apache.flink.annotation.Internal;

/**
 * The place of a gate in a model.
 *
 * @param spec the gate's layer
 * @param layer the number of the layer, counted from 0
 * @param number the number of the gate in the layer, counted from 0
 */
@Internal
record LayerGate(LayerSpec spec, int layer, int number) {

    GateSpec gate() {
        return spec.gates().get(number);
    }
}
