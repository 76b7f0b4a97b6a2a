// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.graph.ExpertGraphs.Gated;
import io.flinkmoe.tensor.MatrixSlice;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.flink.annotation.Internal;

/**
 * The matrices of gated experts, in every form in which checkpoints store them: a tensor per matrix
 * with either set of names, or all experts fused in two tensors, {@code gate_up_proj} [N, 2h, d]
 * with the gate projection first, and {@code down_proj} [N, d, h]. Both may be transposed, [N, d,
 * 2h] and [N, h, d]; the shapes tell.
 *
 * @param published the names of the published form, which messages about missing tensors have
 * @param d the width of input and output
 */
@Internal
record GatedExperts(Checkpoint checkpoint, Names published, int d) {

    /** The names of the gate, up and down projection of one expert. */
    enum Names {
        PROJECTIONS("gate_proj", "up_proj", "down_proj"),
        NUMBERS("w1", "w3", "w2");

        private final String gate;
        private final String up;
        private final String down;

        Names(String gate, String up, String down) {
            this.gate = gate;
            this.up = up;
            this.down = down;
        }

        private List<String> all() {
            return List.of(gate, up, down);
        }
    }

    /**
     * One of n experts.
     *
     * @param experts the name of all experts, to which a tensor's own name or an expert's number is
     *     added
     * @param h the inner width
     */
    Gated expert(String experts, int expert, int n, int h) throws IOException {
        String single = "%s.%d".formatted(experts, expert);
        Optional<String> gateUp = fused(experts + ".gate_up_proj");
        if (gateUp.isPresent() && names(single).isEmpty()) {
            String down = fused(experts + ".down_proj").orElse(experts + ".down_proj");
            return fused(gateUp.get(), down, expert, n, h);
        }
        return single(single, h);
    }

    /** An expert with tensors of its own. */
    Gated single(String name, int h) throws IOException {
        Names names = names(name).orElse(published);
        for (String matrix : names.all()) {
            requireNoBias("%s.%s.bias".formatted(name, matrix));
        }
        return new Gated(
                checkpoint.matrix("%s.%s.weight".formatted(name, names.gate), h, d),
                checkpoint.matrix("%s.%s.weight".formatted(name, names.up), h, d),
                checkpoint.matrix("%s.%s.weight".formatted(name, names.down), d, h));
    }

    /** One of n experts in two fused tensors. */
    Gated fused(String gateUp, String down, int expert, int n, int h) throws IOException {
        for (String tensor : List.of(gateUp, down)) {
            requireNoBias(tensor.replaceFirst("\\.weight$", "") + "_bias");
            requireNoBias(tensor.replaceFirst("\\.weight$", "") + ".bias");
        }
        long[] gateUpShape = {n, 2L * h, d};
        long[] downShape = {n, d, h};
        long[] gateUpTransposed = {n, d, 2L * h};
        long[] downTransposed = {n, h, d};
        boolean plain = hasShape(gateUp, gateUpShape) && hasShape(down, downShape);
        boolean transposed = hasShape(gateUp, gateUpTransposed) && hasShape(down, downTransposed);
        if (!plain && !transposed) {
            boolean gateUpFits =
                    hasShape(gateUp, gateUpShape) || hasShape(gateUp, gateUpTransposed);
            throw gateUpFits
                    ? wrongShape(down, downShape, downTransposed)
                    : wrongShape(gateUp, gateUpShape, gateUpTransposed);
        }
        long size = (long) h * d;
        if (plain) {
            MatrixSlice gate = MatrixSlice.of(2 * expert * size, h, d);
            MatrixSlice up = MatrixSlice.of((2L * expert + 1) * size, h, d);
            MatrixSlice out = MatrixSlice.of(expert * size, d, h);
            return new Gated(
                    checkpoint.slice(gateUp, gate, gateUpShape),
                    checkpoint.slice(gateUp, up, gateUpShape),
                    checkpoint.slice(down, out, downShape));
        }
        long first = 2 * expert * size;
        MatrixSlice gate = new MatrixSlice(first, d, h, 2L * h, true);
        MatrixSlice up = new MatrixSlice(first + h, d, h, 2L * h, true);
        MatrixSlice out = MatrixSlice.of(expert * size, h, d).transpose();
        return new Gated(
                checkpoint.slice(gateUp, gate, gateUpTransposed),
                checkpoint.slice(gateUp, up, gateUpTransposed),
                checkpoint.slice(down, out, downTransposed));
    }

    /** The names that the tensors of an expert have; empty if there is none of them. */
    private Optional<Names> names(String expert) {
        return Arrays.stream(Names.values())
                .filter(
                        names ->
                                names.all().stream()
                                        .map(matrix -> expert + "." + matrix + ".weight")
                                        .anyMatch(checkpoint::contains))
                .findFirst();
    }

    /** The name of a fused tensor, which some programs save with a suffix. */
    private Optional<String> fused(String tensor) {
        return List.of(tensor, tensor + ".weight").stream()
                .filter(checkpoint::contains)
                .findFirst();
    }

    private void requireNoBias(String tensor) throws CheckpointException {
        if (checkpoint.contains(tensor)) {
            throw checkpoint
                    .config()
                    .invalid(
                            "there is a tensor %s, but experts of this family have no bias"
                                    .formatted(tensor));
        }
    }

    private boolean hasShape(String tensor, long[] shape) throws IOException {
        return Arrays.equals(checkpoint.shape(tensor), shape);
    }

    private CheckpointException wrongShape(String tensor, long[] plain, long[] transposed)
            throws IOException {
        return checkpoint.wrongShape(
                tensor,
                "%s, or %s if transposed,"
                        .formatted(Arrays.toString(plain), Arrays.toString(transposed)));
    }
}
