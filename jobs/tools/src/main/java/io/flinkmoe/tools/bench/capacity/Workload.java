package io.flinkmoe.tools.bench.capacity;

import io.flinkmoe.api.Token;
import io.flinkmoe.capacity.AdmissionOrder;
import java.nio.file.Path;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * What runs with different capacities.
 *
 * @param bundle the model's, of one layer
 * @param tokens T tokens, ascending in time
 * @param laps how often a pass at full speed takes them all: whole laps, so that every pass gives
 *     the same answers
 * @param order who comes first where the capacity is smaller than the load
 */
@Internal
record Workload(Path bundle, List<Token> tokens, int laps, AdmissionOrder order) {}
