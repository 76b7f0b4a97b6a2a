// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.FeedForward;
import io.flinkmoe.model.graph.FeedForward.Linear;
import io.flinkmoe.model.huggingface.Family.NetworkForm;
import io.flinkmoe.model.packed.MatrixView;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * The feed-forward networks of a checkpoint, in every form in which they are stored: a tensor per
 * matrix, with any set of names; gate and up projection in one tensor; all N experts in one tensor
 * [N, out, in], or transposed, which the shapes tell. The inner width f follows from the shapes.
 */
@Internal
final class Networks {

    /** The names of gate, up and down projection. */
    private static final List<List<String>> GATED =
            List.of(List.of("gate_proj", "up_proj", "down_proj"), List.of("w1", "w3", "w2"));

    /** The names of the two linear layers of a plain network. */
    private static final List<List<String>> PLAIN =
            List.of(List.of("up_proj", "down_proj"), List.of("wi", "wo"), List.of("fc1", "fc2"));

    /** The names where gate and up projection are one tensor. */
    private static final List<List<String>> MERGED =
            List.of(
                    List.of("gate_up_proj", "down_proj"),
                    List.of("input_linear", "output_linear"),
                    List.of("fc1", "fc2"));

    private final Checkpoint checkpoint;
    private final Weights weights;
    private final Family family;
    private final List<List<String>> gated;
    private final Activation activation;
    private final boolean biased;

    Networks(Checkpoint checkpoint, Weights weights, Family family) throws CheckpointException {
        this.checkpoint = checkpoint;
        this.weights = weights;
        this.family = family;
        this.gated =
                family.network().matrices() == null ? GATED : List.of(family.network().matrices());
        this.activation = family.network().activation().activation(checkpoint.config());
        this.biased = family.network().biased().flag(checkpoint.config());
    }

    private boolean isPlain() {
        return family.network().form() == NetworkForm.PLAIN;
    }

    /**
     * One of N experts.
     *
     * @param experts the names of all experts, with the layer's; the first that is there counts
     * @param d the width of input and output
     */
    FeedForward expert(List<String> experts, int expert, int n, int d) throws IOException {
        for (String name : experts) {
            if (hasAny(nameOf(name, expert) + ".")) {
                return single(nameOf(name, expert), nameOf(name, 0), d);
            }
        }
        for (String name : experts) {
            if (isFused(name)) {
                return fused(name, expert, n, d);
            }
        }
        return single(nameOf(experts.get(0), expert), nameOf(experts.get(0), 0), d);
    }

    /** A network of its own, such as a shared expert. */
    FeedForward single(String name, int d) throws IOException {
        return single(name, name, d);
    }

    boolean exists(String name) {
        return hasAny(name + ".");
    }

    private boolean hasAny(String prefix) {
        return !checkpoint.names().startingWith(prefix).isEmpty();
    }

    private static String nameOf(String experts, int expert) {
        return experts.contains("{e}")
                ? experts.replace("{e}", Integer.toString(expert))
                : experts + "." + expert;
    }

    /**
     * @param similar the name of a network that must have the same widths
     */
    private FeedForward single(String name, String similar, int d) throws IOException {
        List<String> merged = isPlain() ? null : found(MERGED, name);
        if (merged != null && weights.has(name + "." + merged.get(0))) {
            return merged(name, merged, d);
        }
        List<String> names = orFirst(isPlain() ? PLAIN : gated, name, similar);
        int f = innerWidth(similar, names, d);
        StoredWeight[] matrices = new StoredWeight[names.size()];
        for (int i = 0; i < matrices.length; i++) {
            boolean isLast = i == matrices.length - 1;
            matrices[i] = weights.get(name + "." + names.get(i));
            requireShape(matrices[i], isLast ? d : f, isLast ? f : d);
        }
        Linear[] linears = new Linear[matrices.length];
        for (int i = 0; i < linears.length; i++) {
            int out = matrices[i].dim(0);
            float[] bias =
                    biased ? checkpoint.floats(name + "." + names.get(i) + ".bias", out) : null;
            linears[i] = new Linear(matrices[i].blocks(), bias, matrices[i].dim(1), out);
        }
        return isPlain()
                ? network(null, linears[0], linears[1])
                : network(linears[0], linears[1], linears[2]);
    }

    /** A network whose gate and up projection are one matrix [2f, d]. */
    private FeedForward merged(String name, List<String> names, int d) throws IOException {
        StoredWeight gateUp = weights.get(name + "." + names.get(0));
        StoredWeight down = weights.get(name + "." + names.get(1));
        int f = down.shape().length == 2 ? down.dim(1) : gateUp.dim(0) / 2;
        requireShape(gateUp, 2 * f, d);
        requireShape(down, d, f);
        return network(
                new Linear(gateUp.blocks(MatrixView.of(0, f, d)), null, d, f),
                new Linear(gateUp.blocks(MatrixView.of(f, f, d)), null, d, f),
                new Linear(down.blocks(), null, f, d));
    }

    /** f: what two of the shapes agree on, since one of them may be wrong. */
    private int innerWidth(String name, List<String> names, int d) throws IOException {
        int[] candidates = new int[names.size()];
        for (int i = 0; i < candidates.length; i++) {
            StoredWeight weight = weights.get(name + "." + names.get(i));
            boolean isLast = i == candidates.length - 1;
            boolean fits = weight.shape().length == 2 && weight.dim(isLast ? 0 : 1) == d;
            candidates[i] = fits ? weight.dim(isLast ? 1 : 0) : -1;
        }
        return agreed(candidates);
    }

    private static int agreed(int[] candidates) {
        for (int candidate : candidates) {
            if (candidate > 0
                    && Arrays.stream(candidates).filter(other -> other == candidate).count() > 1) {
                return candidate;
            }
        }
        return Arrays.stream(candidates).filter(candidate -> candidate > 0).findFirst().orElse(1);
    }

    private void requireShape(StoredWeight weight, long rows, long columns) throws IOException {
        if (!Arrays.equals(weight.shape(), new long[] {rows, columns})) {
            throw wrongShape(weight, Arrays.toString(new long[] {rows, columns}));
        }
    }

    private CheckpointException wrongShape(StoredWeight weight, String expected)
            throws IOException {
        return weight.packed() == null
                ? checkpoint.wrongShape(weight.name(), expected)
                : new CheckpointException(
                        checkpoint.pathOf(weight.name()),
                        "tensor %s has the unpacked shape %s; expected %s"
                                .formatted(
                                        weight.name(), Arrays.toString(weight.shape()), expected));
    }

    private boolean isFused(String name) {
        if (isPlain()) {
            return found(PLAIN, name) != null;
        }
        return found(MERGED, name) != null || found(gated, name) != null;
    }

    /** One of N experts in two or three tensors that hold all of them. */
    private FeedForward fused(String name, int expert, int n, int d) throws IOException {
        List<String> names = isPlain() ? found(PLAIN, name) : found(MERGED, name);
        List<String> all = names == null ? found(gated, name) : names;
        boolean isWeight =
                all.stream().anyMatch(m -> checkpoint.contains(name + "." + m + ".weight"));
        FusedNetworks.Source source =
                base -> weights.get(name + "." + base, isWeight ? ".weight" : "");
        FusedNetworks fused = new FusedNetworks(source, this::wrongShape, n, d);
        FusedNetworks.Matrices matrices;
        if (isPlain()) {
            matrices = fused.plain(names, expert);
        } else if (names != null) {
            matrices = fused.merged(names, expert, family.network().interleaved());
        } else {
            matrices = fused.stacked(all, expert, family.network().downTransposed());
        }
        int f = matrices.inner();
        float[] first = biased ? bias(name, names.get(0), n, isPlain() ? f : 2 * f, expert) : null;
        float[] last = biased ? bias(name, names.get(1), n, d, expert) : null;
        Linear down = new Linear(matrices.down(), last, f, d);
        if (isPlain()) {
            return network(null, new Linear(matrices.up(), first, d, f), down);
        }
        return network(
                new Linear(matrices.gate(), half(first, 0), d, f),
                new Linear(matrices.up(), half(first, 1), d, f),
                down);
    }

    /** The bias of one expert in a tensor [N, width]. */
    private float[] bias(String name, String matrix, int n, int width, int expert)
            throws IOException {
        String tensor = "%s.%s_bias".formatted(name, matrix);
        if (!checkpoint.contains(tensor) && checkpoint.contains(name + "." + matrix + ".bias")) {
            tensor = "%s.%s.bias".formatted(name, matrix);
        }
        float[] all = checkpoint.floats(tensor, n, width);
        return Arrays.copyOfRange(all, expert * width, (expert + 1) * width);
    }

    /** The half of a bias that belongs to gate (0) or up projection (1). */
    private float[] half(float[] both, int which) {
        if (both == null) {
            return null;
        }
        boolean interleaved = family.network().interleaved();
        float[] half = new float[both.length / 2];
        for (int i = 0; i < half.length; i++) {
            half[i] = both[interleaved ? 2 * i + which : which * half.length + i];
        }
        return half;
    }

    private FeedForward network(Linear gate, Linear up, Linear down) throws CheckpointException {
        CheckpointConfig config = checkpoint.config();
        Family.Network form = family.network();
        return switch (form.form()) {
            case GATED -> new FeedForward.Gated(activation, gate, up, down);
            case CLAMPED ->
                    new FeedForward.Clamped(
                            form.alpha().positive(config),
                            form.limit().positive(config),
                            gate,
                            up,
                            down);
            case PLAIN -> new FeedForward.Plain(activation, up, down, outputScale());
        };
    }

    private float outputScale() throws CheckpointException {
        if (family.outputDropout() == null) {
            return 1;
        }
        double dropout = family.outputDropout().number(checkpoint.config());
        if (!(dropout >= 0 && dropout < 1)) {
            throw checkpoint
                    .config()
                    .invalid(
                            family.outputDropout().key(checkpoint.config()),
                            "0 or more, and below 1");
        }
        return (float) (1 - dropout);
    }

    /** The names that the matrices of a network have; null if there are none. */
    private List<String> found(List<List<String>> sets, String name) {
        for (List<String> names : sets) {
            if (names.stream().allMatch(matrix -> weights.has(name + "." + matrix))) {
                return names;
            }
        }
        for (List<String> names : sets) {
            if (names.stream().anyMatch(matrix -> weights.has(name + "." + matrix))) {
                return names;
            }
        }
        return null;
    }

    /** The same for the network or a similar one; the first names if there are none. */
    private List<String> orFirst(List<List<String>> sets, String name, String similar) {
        for (String candidate : List.of(similar, name)) {
            for (List<String> names : sets) {
                if (names.stream().filter(m -> weights.has(candidate + "." + m)).count() > 1) {
                    return names;
                }
            }
        }
        List<String> any = found(sets, name);
        return any == null ? sets.get(0) : any;
    }
}
