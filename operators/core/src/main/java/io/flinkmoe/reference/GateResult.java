// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import org.apache.flink.annotation.Experimental;

/**
 * What one of several gates chose for T tokens.
 *
 * @param logits [T, n]; empty for a gate with a rule
 * @param experts [T, k], experts of the layer in order of rank; -1 for a rank without one
 * @param weights [T, k], of these experts, as the capacity weighs them
 */
@Experimental
public record GateResult(float[] logits, int[] experts, float[] weights) {}
