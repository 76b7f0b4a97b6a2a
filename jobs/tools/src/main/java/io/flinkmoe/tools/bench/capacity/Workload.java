// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.bench.capacity;

import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionOrder;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The model and the tokens that run with different capacities.
 *
 * @param bundle the bundle of a model with one layer
 * @param tokens T tokens, ascending in time
 * @param laps how often a pass at full speed sends all tokens; whole laps, so that every pass has
 *     the same answers
 * @param order which tokens are admitted first if the load exceeds the capacity
 */
@Internal
record Workload(Path bundle, List<Token> tokens, int laps, AdmissionOrder order) {}
