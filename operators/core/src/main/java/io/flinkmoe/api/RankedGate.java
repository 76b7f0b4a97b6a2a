// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.serialization.Wire;
import java.io.IOException;
import java.util.Arrays;
import java.util.Objects;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * What a gate chose for a token. K is the number of the token's best experts that its k choices may
 * try: k without rerouting, else up to k · (1 + overflow rounds).
 *
 * @param name the gate's name in the model, or its number
 * @param experts [K], the experts in order of rank, counted from 0; -1 if the token could not be
 *     routed, or where it has fewer
 * @param scores [K], the scores of the experts, neither normalized nor scaled; NaN for a token that
 *     was routed before the decision log was enabled
 * @param weights [K], the factor of each expert's output if the expert executes the token
 */
@PublicEvolving
public record RankedGate(String name, int[] experts, float[] scores, float[] weights) {

    @Override
    public boolean equals(Object other) {
        return other instanceof RankedGate that
                && Objects.equals(name, that.name)
                && Arrays.equals(experts, that.experts)
                && Arrays.equals(scores, that.scores)
                && Arrays.equals(weights, that.weights);
    }

    @Override
    public int hashCode() {
        return Objects.hash(
                name, Arrays.hashCode(experts), Arrays.hashCode(scores), Arrays.hashCode(weights));
    }

    @Override
    public String toString() {
        return "RankedGate[name=%s, experts=%s, scores=%s, weights=%s]"
                .formatted(
                        name,
                        Arrays.toString(experts),
                        Arrays.toString(scores),
                        Arrays.toString(weights));
    }

    RankedGate copy() {
        return new RankedGate(name, experts.clone(), scores.clone(), weights.clone());
    }

    void write(DataOutputView out) throws IOException {
        Wire.writeString(name, out);
        Wire.writeInts(experts, out);
        Wire.writeFloats(scores, out);
        Wire.writeFloats(weights, out);
    }

    static RankedGate read(DataInputView in) throws IOException {
        return new RankedGate(
                Wire.readString(in), Wire.readInts(in), Wire.readFloats(in), Wire.readFloats(in));
    }
}
