// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.MlpGraph;
import io.flinkmoe.tensor.FloatCheck;
import io.flinkmoe.tensor.SafetensorsFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;

/**
 * The {@code state_dict} of a PyTorch module in a safetensors file. A linear layer NAME has the
 * tensors NAME.weight [out, in] and, if it has a bias, NAME.bias [out].
 */
@Internal
final class StateDict implements AutoCloseable {

    private final Path path;
    private final SafetensorsFile file;
    private final Set<String> used = new HashSet<>();

    /** A linear layer and what follows it. */
    record Linear(String name, boolean hasBias, Activation activation, int in, int out) {}

    StateDict(Path path) throws IOException {
        this.path = path;
        this.file = SafetensorsFile.open(path);
    }

    Path path() {
        return path;
    }

    /** The names of all tensors. */
    Set<String> names() {
        return file.names();
    }

    /** An error about a tensor that is not there. */
    BundleException missing(String tensor) {
        return new BundleException(
                path,
                "there is no tensor %s; it has %s".formatted(tensor, shortened(file.names())));
    }

    /**
     * Finds a linear layer, and checks the shapes of its tensors.
     *
     * @throws BundleException if there is none, or if its tensors have other shapes
     */
    Linear linear(String name, Activation activation) throws IOException {
        String weight = name + ".weight";
        String bias = name + ".bias";
        if (!file.contains(weight)) {
            throw missing(weight);
        }
        long[] shape = file.shape(weight);
        if (shape.length != 2) {
            throw new BundleException(
                    path, "%s is %s; expected [out, in]".formatted(weight, Arrays.toString(shape)));
        }
        boolean hasBias = file.names().contains(bias);
        if (hasBias && !Arrays.equals(file.shape(bias), new long[] {shape[0]})) {
            throw new BundleException(
                    path,
                    "%s is %s; expected [%d], as %s is %s"
                            .formatted(
                                    bias,
                                    Arrays.toString(file.shape(bias)),
                                    shape[0],
                                    weight,
                                    Arrays.toString(shape)));
        }
        used.add(weight);
        if (hasBias) {
            used.add(bias);
        }
        return new Linear(
                name, hasBias, activation, Math.toIntExact(shape[1]), Math.toIntExact(shape[0]));
    }

    /** Checks that each of some layers reads what the one before it writes. */
    void requireChain(List<Linear> linears) throws BundleException {
        for (int i = 1; i < linears.size(); i++) {
            Linear before = linears.get(i - 1);
            Linear after = linears.get(i);
            if (before.out != after.in) {
                throw new BundleException(
                        path,
                        "%s.weight is [%d, %d], but %s before it has %d outputs; expected [%d, %d]"
                                .formatted(
                                        after.name,
                                        after.out,
                                        after.in,
                                        before.name,
                                        before.out,
                                        after.out,
                                        before.out));
            }
        }
    }

    /** Reads the weights of a layer. */
    MlpGraph.Layer read(Linear linear) throws IOException {
        return MlpGraph.Layer.of(
                floats(linear.name + ".weight"),
                linear.hasBias ? floats(linear.name + ".bias") : null,
                linear.activation,
                linear.in,
                linear.out);
    }

    private float[] floats(String tensor) throws IOException {
        return file.floats(tensor, FloatCheck.FINITE);
    }

    /** The tensors that no part uses. */
    List<String> unused() {
        return file.names().stream().filter(name -> !used.contains(name)).sorted().toList();
    }

    private static String shortened(Set<String> names) {
        List<String> first = names.stream().sorted().limit(10).toList();
        return first + (names.size() > first.size() ? " and more" : "");
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
