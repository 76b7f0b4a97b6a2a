package io.flinkmoe.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OnnxShapesTest {
    private static final Path FLIGHTS = Path.of("..", "deploy", "demo", "flights");
    private static final int FLOAT = 1;
    private static final int INT64 = 7;

    @TempDir Path dir;

    @Test
    void readsWhatPyTorchExported() throws Exception {
        assertThat(OnnxShapes.read(FLIGHTS.resolve("encoder.onnx")))
                .isEqualTo(new OnnxShapes("features", 10, "hidden", 64));
        assertThat(OnnxShapes.read(FLIGHTS.resolve("head.onnx")))
                .isEqualTo(new OnnxShapes("hidden", 64, "probability", 1));
    }

    @Test
    void doesNotTakeWeightsForInputs() throws Exception {
        ProtoWriter weights = new ProtoWriter().string(8, "w");
        byte[] graph =
                graph(value("w", FLOAT, 3, 4), value("x", FLOAT, -1, 4))
                        .message(5, weights)
                        .message(12, value("y", FLOAT, -1, 4))
                        .toBytes();

        assertThat(read(wrap(graph))).isEqualTo(new OnnxShapes("x", 4, "y", 4));
    }

    @Test
    void leavesAnOpenWidthOpen() throws Exception {
        assertThat(read(wrap(unary(value("x", FLOAT, -1, -1)))).inputWidth())
                .isEqualTo(OnnxShapes.UNKNOWN);
    }

    @Test
    void refusesInputsThatABundleCannotFeed() {
        assertRefused(
                wrap(unary(value("x", INT64, -1, 4))),
                "input x has ONNX element type 7; expected 1, float32");
        assertRefused(
                wrap(unary(value("x", FLOAT, -1, 4, 4))),
                "input x has 3 dimensions; expected two, [batch, width]");
        assertRefused(
                wrap(unary(value("x", FLOAT, 16, 4))),
                "input x is for batches of 16 only;"
                        + " export the model with a dynamic first dimension");
        assertRefused(
                wrap(unary(value("x", FLOAT, -1, 0))),
                "input x is [batch, 0]; allowed: 1 to 2147483647");
        assertRefused(
                wrap(graph(value("x", FLOAT, -1, 4), value("z", FLOAT, -1, 4)).toBytes()),
                "it has 2 inputs, [x, z]; expected one, float32 [batch, width]");
        assertRefused(
                wrap(graph(value("x", FLOAT, -1, 4)).toBytes()),
                "it has 0 outputs, []; expected one, float32 [batch, width]");
    }

    @Test
    void refusesWeightsInAFurtherFile() {
        ProtoWriter weights = new ProtoWriter().string(8, "w").varint(14, 1);

        assertRefused(
                wrap(graph().message(5, weights).toBytes()),
                "its weights are in a further file; save the model as one file");
    }

    @Test
    void everyCutOfAFileIsRefusedOrReadTheSame() throws Exception {
        byte[] good = RouterGraphs.linear(new float[6], 2, 3);
        for (int length = 0; length < good.length; length++) {
            byte[] cut = Arrays.copyOf(good, length);
            Path file = Files.write(dir.resolve("cut.onnx"), cut);
            try {
                assertThat(OnnxShapes.read(file)).isEqualTo(read(good));
            } catch (BundleException e) {
                assertThat(e).hasMessageStartingWith(file.toString());
            }
        }
    }

    @Test
    void randomDamageGivesAnAnswerOrABundleException() throws Exception {
        byte[] good =
                ExpertGraphs.gated(Activation.SILU, new float[6], new float[6], new float[6], 2, 3);
        Random random = new Random(7);
        int refused = 0;
        for (int round = 0; round < 3000; round++) {
            byte[] bad = good.clone();
            for (int i = 0; i < 3; i++) {
                bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            }
            try {
                read(bad);
            } catch (BundleException e) {
                refused++;
            }
        }
        assertThat(refused).isPositive();
    }

    private void assertRefused(byte[] model, String message) {
        assertThatThrownBy(() -> read(model))
                .isInstanceOf(BundleException.class)
                .hasMessage(dir.resolve("m.onnx") + ": " + message);
    }

    private OnnxShapes read(byte[] model) throws Exception {
        return OnnxShapes.read(Files.write(dir.resolve("m.onnx"), model));
    }

    private static byte[] wrap(byte[] graph) {
        return new ProtoWriter().bytes(7, graph).toBytes();
    }

    private static byte[] unary(ProtoWriter input) {
        return graph(input).message(12, value("y", FLOAT, -1, 4)).toBytes();
    }

    private static ProtoWriter graph(ProtoWriter... inputs) {
        ProtoWriter graph = new ProtoWriter();
        List.of(inputs).forEach(input -> graph.message(11, input));
        return graph;
    }

    /** A value info; a dimension of -1 is symbolic. */
    private static ProtoWriter value(String name, int type, int... dims) {
        ProtoWriter shape = new ProtoWriter();
        for (int dim : dims) {
            ProtoWriter size = new ProtoWriter();
            shape.message(1, dim < 0 ? size.string(2, "n") : size.varint(1, dim));
        }
        ProtoWriter tensor = new ProtoWriter().varint(1, type).message(2, shape);
        return new ProtoWriter().string(1, name).message(2, new ProtoWriter().message(1, tensor));
    }
}
