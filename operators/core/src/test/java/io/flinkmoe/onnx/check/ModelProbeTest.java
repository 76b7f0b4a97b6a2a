// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx.check;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.model.OpenedModels.Bits;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.OnnxGraph;
import io.flinkmoe.onnx.OnnxModel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whether a row gets the same answer in every call. */
class ModelProbeTest {

    private static final int D = 3;

    @TempDir private Path directory;

    @Test
    void reportsAModelThatLooksAtTheWholeBatch() throws Exception {
        byte[] centred =
                graph().node("ReduceMean", "mean", List.of("x"), Map.of("axes", new int[] {0}))
                        .node("Sub", "y", List.of("x", "mean"))
                        .toBytes();

        assertThatThrownBy(() -> bits(centred))
                .hasMessageStartingWith(
                        directory.resolve("model.onnx")
                                + ": its output 'y' depends on the other rows")
                .hasMessageContaining("model.eval()");
    }

    @Test
    void reportsANumberThatIsNoneInAnotherBatch() throws Exception {
        byte[] deviation =
                graph().weights("zero", new float[1])
                        .weights("one", new float[] {1})
                        .node("Mul", "zeros", List.of("x", "zero"))
                        .node("Add", "ones", List.of("zeros", "one"))
                        .integers("rows", new long[1], 1)
                        .node("ReduceSum", "count", List.of("ones", "rows"))
                        .node("Sub", "others", List.of("count", "one"))
                        .node("Div", "y", List.of("zeros", "others"))
                        .toBytes();

        assertThatThrownBy(() -> bits(deviation)).hasMessageContaining("differs by NaN");
    }

    @Test
    void isSilentAboutNaNAtEveryBatchSize() throws Exception {
        byte[] undefined =
                graph().node("Sub", "zeros", List.of("x", "x"))
                        .node("Div", "y", List.of("zeros", "zeros"))
                        .toBytes();

        assertThat(bits(undefined)).isEqualTo(Bits.EXACT);
    }

    @Test
    void isSilentAboutAnExpertOfRowsAlone() throws Exception {
        float[] weights = {1, -2, 3, -4, 5, -6, 7, -8, 9};

        assertThat(bits(ExpertGraphs.gated(Activation.SILU, weights, weights, weights, D, D)))
                .isEqualTo(Bits.EXACT);
    }

    private static OnnxGraph graph() {
        return new OnnxGraph("probed").input("x", D).output("y", D);
    }

    private Bits bits(byte[] graph) throws Exception {
        Path file = Files.write(directory.resolve("model.onnx"), graph);
        try (OnnxModel model = OnnxModel.open(file, D, D)) {
            return ModelProbe.run(model).bits();
        }
    }
}
