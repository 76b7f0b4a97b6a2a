// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.reference;

import ai.onnxruntime.OrtException;
import io.flinkmoe.capacity.Capacity;
import io.flinkmoe.capacity.ChoiceRanks;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.capacity.TokenMetadata;
import io.flinkmoe.column.InputRows;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.onnx.layer.LayerRouter;
import io.flinkmoe.onnx.layer.Routed;
import io.flinkmoe.onnx.layer.RouterBatch;
import io.flinkmoe.reference.WindowDecisions.Ranked;
import io.flinkmoe.routing.NoiseSource;
import io.flinkmoe.tensor.Floats;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** Routes T tokens in blocks, and collects what a layer needs of them. Not for several threads. */
@Internal
final class RoutedLayer {

    private final int layer;
    private final LayerSpec spec;
    private final LayerRouter router;
    private final Capacity capacity;
    private final int maxRows;

    int ranks;
    float[] hidden; // [T, width of what experts read]
    float[] carried; // [T, carried size]
    float[] scales; // [T, G], or empty
    int[] experts; // [T, K]
    float[] weights; // [T, K]; of one gate
    float[] scores; // [T, K]
    byte[] outcomes; // [T, k]
    int[] choiceRanks; // [T, k], or empty
    short[] places; // [T, S], or empty
    float[] logits; // [T, N]; of one gate
    List<GateResult> gates;

    /**
     * @param layer the number of the layer
     * @param maxRows the tokens of a block
     */
    RoutedLayer(int layer, LayerSpec spec, LayerRouter router, Capacity capacity, int maxRows) {
        this.layer = layer;
        this.spec = spec;
        this.router = router;
        this.capacity = capacity;
        this.maxRows = maxRows;
    }

    /** What the admission decides on. */
    Ranked ranked() {
        return new Ranked(ranks, experts, weights, scores, new ChoiceRanks(choiceRanks));
    }

    /**
     * Routes T tokens.
     *
     * @param x what the router reads
     * @param rejected [T], why a token is rejected, so that it is no part of any window; else null.
     *     Those that this layer rejects are added
     * @param absent [T], tokens for which an earlier layer had no output
     * @param noise the draws for this layer; null for none
     */
    void route(
            InputRows x,
            TokenMetadata metadata,
            String[] rejected,
            boolean[] absent,
            NoiseSource noise)
            throws OrtException {
        int tokens = metadata.tokens();
        int bytes = router.inputWidth() * Float.BYTES;
        int strings = x.strings().length / Math.max(tokens, 1);
        ranks = -1;
        for (int from = 0; from < Math.max(tokens, 1); from += maxRows) {
            int to = Math.min(tokens, from + maxRows);
            NoiseSource draws = noise == null ? null : noise.from(from);
            Routed routed =
                    router.route(
                            new RouterBatch(
                                    Arrays.copyOfRange(x.numbers(), from * bytes, to * bytes),
                                    Arrays.copyOfRange(x.strings(), from * strings, to * strings),
                                    Arrays.copyOfRange(metadata.streams(), from, to),
                                    Arrays.copyOfRange(absent, from, to),
                                    draws));
            if (ranks < 0) {
                allocate(tokens, routed);
            }
            collect(routed, from, to - from, draws);
            settle(routed, from, to - from, metadata, rejected);
        }
    }

    private void allocate(int tokens, Routed routed) {
        boolean one = routed.hasOneGate();
        ranks = routed.ranks();
        hidden = new float[tokens * spec.expertRowSize()];
        carried = new float[tokens * spec.carriedSize()];
        scales = new float[routed.scales(1).length == 0 ? 0 : tokens * routed.gates()];
        experts = new int[tokens * ranks];
        weights = new float[tokens * ranks];
        scores = new float[tokens * ranks];
        outcomes = new byte[tokens * routed.k()];
        choiceRanks = new int[one ? 0 : tokens * routed.k()];
        places = new short[one ? 0 : tokens * spec.ranks()];
        logits = new float[one && routed.routing(0) != null ? tokens * spec.numExperts() : 0];
        gates = new ArrayList<>();
        for (int gate = 0; gate < routed.gates() && !one; gate++) {
            int n = routed.routing(gate) == null ? 0 : routed.routing(gate).numExperts();
            int size = tokens * routed.ranks(gate);
            gates.add(new GateResult(new float[tokens * n], new int[size], new float[size]));
        }
    }

    private void collect(Routed routed, int from, int rows, NoiseSource draws) {
        copy(routed.scales(rows), scales, from, rows);
        copy(Floats.toFloats(routed.hidden()), hidden, from, rows);
        copy(Floats.toFloats(routed.carried()), carried, from, rows);
        copy(routed.admissionScores(capacity.score(), rows, draws), scores, from, rows);
        System.arraycopy(routed.experts(), 0, experts, from * ranks, rows * ranks);
        if (routed.hasOneGate()) {
            System.arraycopy(routed.weights(0), 0, weights, from * ranks, rows * ranks);
            if (routed.routing(0) != null) {
                spread(routed, from, rows);
            }
            return;
        }
        int[] ofBlock = routed.choiceRanks(rows).ranks();
        System.arraycopy(ofBlock, 0, choiceRanks, from * routed.k(), ofBlock.length);
        short[] ofGates = routed.places(rows);
        int sum = spec.ranks();
        System.arraycopy(ofGates, 0, places, from * sum, ofGates.length);
        int first = 0; // of the gate's ranks
        for (int gate = 0; gate < gates.size(); gate++) {
            GateResult result = gates.get(gate);
            int k = routed.ranks(gate);
            System.arraycopy(routed.weights(gate), 0, result.weights(), from * k, rows * k);
            for (int row = 0; row < rows; row++) {
                copyExperts(ofGates, row * sum + first, from + row, result, k);
            }
            first += k;
            if (routed.routing(gate) != null) {
                int n = routed.routing(gate).numExperts();
                System.arraycopy(routed.logits(gate), 0, result.logits(), from * n, rows * n);
            }
        }
    }

    private void copyExperts(short[] ofGates, int at, int row, GateResult result, int k) {
        for (int rank = 0; rank < k; rank++) {
            int place = ofGates[at + rank];
            result.experts()[row * k + rank] = place < 0 ? -1 : experts[row * ranks + place];
        }
    }

    /** The logits of the one gate, in the columns of the layer's experts. */
    private void spread(Routed routed, int from, int rows) {
        int[] columns = spec.expertsOf(0);
        int n = spec.numExperts();
        Arrays.fill(logits, from * n, (from + rows) * n, Float.NEGATIVE_INFINITY);
        for (int row = 0; row < rows; row++) {
            for (int column = 0; column < columns.length; column++) {
                logits[(from + row) * n + columns[column]] =
                        routed.logits(0)[row * columns.length + column];
            }
        }
    }

    private static void copy(float[] block, float[] all, int from, int rows) {
        System.arraycopy(block, 0, all, from * (block.length / Math.max(rows, 1)), block.length);
    }

    /** Settles the choices of a block that no expert is to see. */
    private void settle(
            Routed routed, int from, int rows, TokenMetadata metadata, String[] rejected) {
        int k = routed.k();
        for (int row = 0; row < rows; row++) {
            if (routed.isRejected(row) && rejected[from + row] == null) {
                long position = metadata.positions()[from + row];
                String stream = metadata.streams()[from + row];
                rejected[from + row] = routed.fault(row).reason(layer, position, stream);
            }
            boolean isRejected = rejected[from + row] != null;
            if (!routed.isRoutable(row) || isRejected) {
                unroute(from + row);
            }
            for (int choice = row * k; choice < row * k + k; choice++) {
                outcomes[from * k + choice] =
                        isRejected
                                ? Outcome.FAILED.code()
                                : routed.outcome(
                                        choice, Outcome.EXECUTED.code(), Outcome.NO_CHOICE);
            }
        }
    }

    private void unroute(int row) {
        Arrays.fill(experts, row * ranks, (row + 1) * ranks, -1);
        Arrays.fill(weights, row * ranks, (row + 1) * ranks, 0);
        for (GateResult gate : gates) {
            int k = gate.experts().length / (experts.length / ranks);
            Arrays.fill(gate.experts(), row * k, (row + 1) * k, -1);
            Arrays.fill(gate.weights(), row * k, (row + 1) * k, 0);
        }
    }
}
