// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.router;

import io.flinkmoe.capacity.WindowCounts;
import io.flinkmoe.onnx.layer.Routed;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.runtime.block.Choices;
import io.flinkmoe.runtime.block.TokenBlock;
import org.apache.flink.annotation.Internal;

/** Where a router sends its choices: {@link ToExperts} or {@link ToAdmission}. */
@Internal
interface RoutedOutput {

    /**
     * Sends the tokens of a batch and their choices.
     *
     * @param batch the lane's batch number
     * @param routed the results of the models; the next call reuses them
     * @param draws the random numbers of these tokens; null if there are none
     */
    void send(long batch, TokenBlock tokens, Routed routed, Choices choices, NoiseSource draws);

    /**
     * Reports a window of a lane that has closed.
     *
     * @param counts the choices of the lane in the window
     */
    void close(int lane, long windowStart, WindowCounts counts);
}
