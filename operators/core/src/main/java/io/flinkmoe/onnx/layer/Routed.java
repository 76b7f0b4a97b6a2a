// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.layer;

import io.flinkmoe.capacity.AdmissionScore;
import io.flinkmoe.capacity.ChoiceRanks;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.routing.GateUnion;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.routing.RoutingConfig;
import java.util.Arrays;
import java.util.function.IntPredicate;
import org.apache.flink.annotation.Internal;

/**
 * The result for the T tokens of one call. A choice is an expert that a token asks for. With one
 * gate, the choices are those of the gate. With several, they are the union of the gates' choices,
 * in the order of {@link GateUnion}.
 */
@Internal
public final class Routed {

    private static final float[] NONE = {};

    private final Gate[] gates;
    private final GateUnion union; // null with one gate
    private final int k;
    private final int ranks;
    private final int[] experts;
    private final int[] choiceRanks;
    private final short[] places;
    private final RoutingFault[] faults;
    final float[] scales;
    boolean hasScales;
    private boolean hasFaults;
    byte[] hidden;
    byte[] carried;

    Routed(LayerSpec layer, Gate[] gates, int maxRows) {
        this.gates = gates;
        if (gates.length == 1) {
            union = null;
            k = gates[0].k();
            ranks = gates[0].ranks();
            experts = gates[0].experts();
            choiceRanks = new int[0];
            places = new short[0];
        } else {
            union =
                    new GateUnion(
                            layer.numExperts(), Arrays.stream(gates).mapToInt(Gate::k).toArray());
            k = union.size();
            ranks = union.size();
            experts = new int[maxRows * ranks];
            choiceRanks = new int[maxRows * ranks];
            places = new short[maxRows * union.sum()];
        }
        this.scales = new float[maxRows * gates.length];
        this.faults = new RoutingFault[maxRows];
    }

    void merge(int tokens) {
        if (union != null) {
            int[][] chosen = new int[gates.length][];
            for (int gate = 0; gate < gates.length; gate++) {
                chosen[gate] = gates[gate].experts();
            }
            union.merge(chosen, tokens, experts, choiceRanks, places);
        }
    }

    void clearFaults(int tokens) {
        Arrays.fill(faults, 0, tokens, RoutingFault.NONE);
        hasFaults = false;
    }

    /** The first fault of a token counts, but a rejection before any other, whatever the order. */
    void setFault(int token, RoutingFault fault) {
        hasFaults = true;
        boolean rejects = fault == RoutingFault.NO_MATCH && !isRejected(token);
        if (rejects || faults[token] == RoutingFault.NONE) {
            faults[token] = fault;
        }
    }

    /** The number of gates. */
    public int gates() {
        return gates.length;
    }

    /** Whether the choices are those of one gate. */
    public boolean hasOneGate() {
        return union == null;
    }

    /** The routing of a gate; null if the gate has a rule. */
    public RoutingConfig routing(int gate) {
        return gates[gate] instanceof ModelGate model ? model.routing() : null;
    }

    /** The router logits of a gate, [T, n]; it must not have a rule. */
    public float[] logits(int gate) {
        return model(gate).logits;
    }

    /** The columns of the logits that a gate chose, [T, K]; it must not have a rule. */
    public int[] columns(int gate) {
        return model(gate).columns;
    }

    /** The weights of a gate, [T, K], in order of rank. */
    public float[] weights(int gate) {
        return gates[gate].weights();
    }

    /** The ranks of a gate: K with one gate, else k. */
    public int ranks(int gate) {
        return gates[gate].ranks();
    }

    private ModelGate model(int gate) {
        return (ModelGate) gates[gate];
    }

    /** Choices per token, at most: k with one gate, U with several. */
    public int k() {
        return k;
    }

    /** K: the experts that a token may try, at most. */
    public int ranks() {
        return ranks;
    }

    /** The experts [T, K] that tokens may try, in order of rank; -1 where there are fewer. */
    public int[] experts() {
        return experts;
    }

    /** The ranks of the choices. */
    public ChoiceRanks choiceRanks(int tokens) {
        return union == null
                ? ChoiceRanks.OF_ONE_GATE
                : new ChoiceRanks(Arrays.copyOf(choiceRanks, tokens * k));
    }

    /**
     * With several gates: for each rank of each gate, in order, the place of its expert among the
     * choices of the token, [T, S]; -1 for none.
     */
    public short[] places(int tokens) {
        return Arrays.copyOf(places, tokens * union.sum());
    }

    /** The values of all gates' ranks, [T, S]. */
    public float[] weightsOfGates(int tokens) {
        return sideBySide(tokens, gate -> gates[gate].weights());
    }

    /** The raw scores of all gates' ranks, [T, S], neither normalized nor scaled. */
    public float[] scoresOfGates(int tokens) {
        return sideBySide(tokens, gate -> gates[gate].scores(tokens));
    }

    private interface OfGate {
        float[] of(int gate);
    }

    private float[] sideBySide(int tokens, OfGate values) {
        if (union == null) {
            return Arrays.copyOf(values.of(0), tokens * ranks);
        }
        int sum = union.sum();
        float[] all = new float[tokens * sum];
        int at = 0;
        for (int gate = 0; gate < gates.length; gate++) {
            int size = gates[gate].ranks();
            float[] own = values.of(gate);
            for (int token = 0; token < tokens; token++) {
                System.arraycopy(own, token * size, all, token * sum + at, size);
            }
            at += size;
        }
        return all;
    }

    /**
     * What multiplies the weights of each token after a weight rule, [T, G]: {@code
     * routed_scaling_factor · expertScale(hidden)}; none where there is no factor, or the weights
     * are multiplied already.
     */
    public float[] scales(int tokens) {
        return hasScales ? Arrays.copyOf(scales, tokens * gates.length) : NONE;
    }

    /**
     * The scores of the experts [T, K] that an admission compares when a window closes; 0 where
     * there is no expert. With several gates: the highest score that a gate gives the expert.
     *
     * @param kind which scores; for {@link AdmissionScore#NONE} the result is empty
     * @param draws the draws of the tokens, needed for random admission only
     * @throws IllegalArgumentException if random admission has no draws
     */
    public float[] admissionScores(AdmissionScore kind, int tokens, NoiseSource draws) {
        return switch (kind) {
            case NONE -> NONE;
            case GATE_SCORE ->
                    union == null
                            ? gates[0].scores(tokens)
                            : union.highest(scoresOfGates(tokens), places, tokens);
            case ROUTER_LOGIT -> model(0).chosenLogits(tokens);
            case RANDOM_DRAW -> {
                if (draws == null) {
                    throw new IllegalArgumentException("random admission needs draws");
                }
                float[] random = new float[tokens * ranks];
                for (int i = 0; i < random.length; i++) {
                    random[i] = experts[i] < 0 ? 0 : draws.priority(i / ranks, experts[i]);
                }
                yield random;
            }
        };
    }

    /**
     * The outcome of a choice of a token that is on time.
     *
     * @param choice token · k + rank
     * @param otherwise the code of a choice that the router leaves to an expert
     * @param absent the code of a choice that does not exist, because the token has fewer
     * @return FAILED, OVERFLOWED or one of the given codes
     */
    public byte outcome(int choice, byte otherwise, byte absent) {
        int token = choice / k;
        if (!isRoutable(token)) {
            return Outcome.FAILED.code();
        }
        if (experts[token * ranks + choice % k] < 0) {
            return absent;
        }
        return isSkipped(choice) ? Outcome.OVERFLOWED.code() : otherwise;
    }

    /** Whether random_second noise dropped choice {@code token * k + rank}; its weight is 0. */
    private boolean isSkipped(int choice) {
        return union == null && gates[0] instanceof ModelGate model && model.skipped[choice];
    }

    /** The input of the experts [T, input size], little endian. */
    public byte[] hidden() {
        return hidden;
    }

    /** What tokens carry past the experts [T, carried size], little endian. */
    public byte[] carried() {
        return carried;
    }

    /** Whether any token of the call has a fault. */
    public boolean hasFaults() {
        return hasFaults;
    }

    /** What keeps the experts from being asked for a token. */
    public RoutingFault fault(int token) {
        return faults[token];
    }

    /** Whether experts can be asked. If not, the choices are FAILED and y is the residual. */
    public boolean isRoutable(int token) {
        return faults[token] == RoutingFault.NONE;
    }

    /** Whether a token is rejected: no encoding, or no rule for it. */
    public boolean isRejected(int token) {
        return faults[token].isRejection();
    }

    /** The tokens of T with a fault, ascending. */
    public int[] rowsWith(RoutingFault fault, int tokens) {
        return rows(tokens, row -> faults[row] == fault);
    }

    /** The tokens of T that are not rejected, ascending. */
    public int[] acceptedRows(int tokens) {
        return rows(tokens, row -> !isRejected(row));
    }

    private static int[] rows(int tokens, IntPredicate wanted) {
        int[] rows = new int[tokens];
        int count = 0;
        for (int row = 0; row < tokens; row++) {
            if (wanted.test(row)) {
                rows[count++] = row;
            }
        }
        return Arrays.copyOf(rows, count);
    }
}
