// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.ProtoWriter;
import io.flinkmoe.model.graph.RouterGraphs;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OnnxShapesTest {
    private static final Path FLIGHTS = Path.of("..", "..", "deploy", "demo", "flights");
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
                "input x is int64 [n, 4]; expected float or double [batch, width]");
        assertRefused(
                wrap(unary(value("x", FLOAT, -1, 4, 4))),
                "input x is float [n, 4, 4]; expected two dimensions, [batch, width], or [batch]");
        assertRefused(
                wrap(unary(value("x", FLOAT, 16, 4))),
                "input x is float [16, 4], with a fixed batch size of 16; expected a free one: export the model with a"
                        + " dynamic first dimension: dynamic_shapes=({0: 'batch'},) with"
                        + " dynamo=True, dynamic_axes={NAME: {0: 'batch'}} without");
        assertRefused(
                wrap(unary(value("x", FLOAT, -1, 0))),
                "input x is float [n, 0]; allowed: widths of 1 to 2147483647");
        assertRefused(
                wrap(graph(value("x", FLOAT, -1, 4), value("z", FLOAT, -1, 4)).toBytes()),
                "it has 2 inputs, [x float [n, 4], z float [n, 4]]; expected exactly one, float [batch, width]");
        assertRefused(
                wrap(graph(value("x", FLOAT, -1, 4)).toBytes()),
                "it has 0 outputs, []; expected exactly one, float [batch, width]");
    }

    @Test
    void refusesWeightsInAFurtherFile() {
        ProtoWriter weights = new ProtoWriter().string(8, "w").varint(14, 1);

        assertRefused(
                wrap(graph().message(5, weights).toBytes()),
                "its weights are in a separate file (ONNX external data), but a bundle has one file per"
                        + " model; save it with onnx.save_model(onnx.load(FILE), OUT,"
                        + " save_as_external_data=False)");
    }

    /** Where an ONNX file can keep a tensor besides its weights. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "weights",
                "attribute",
                "attribute's list",
                "sparse weights",
                "sparse attribute",
                "subgraph",
                "subgraph's subgraph",
                "function",
                "function's default",
                "training"
            })
    void refusesTensorsInAFurtherFileWhereverTheyAre(String place) {
        List<ProtoWriter> elsewhere =
                List.of(
                        new ProtoWriter().string(8, "w").varint(14, 1),
                        new ProtoWriter().varint(14, 0).varint(14, 1L << 32 | 1),
                        new ProtoWriter()
                                .string(8, "w")
                                .message(13, location("/etc/passwd"))
                                .varint(14, 1),
                        new ProtoWriter().message(13, location("../../weights.bin")),
                        new ProtoWriter().message(13, location("*/_ORT_MEM_ADDR_/*")));
        for (ProtoWriter tensor : elsewhere) {
            assertRefused(
                    modelWith(place, tensor),
                    "its weights are in a separate file (ONNX external data), but a bundle has one file per"
                            + " model; save it with onnx.save_model(onnx.load(FILE), OUT,"
                            + " save_as_external_data=False)");
        }
        assertThat(catchThrowable(() -> read(modelWith(place, new ProtoWriter().varint(14, 0)))))
                .as("a tensor whose data are in the file")
                .isNull();
    }

    private static ProtoWriter location(String value) {
        return new ProtoWriter().string(1, "location").string(2, value);
    }

    private static byte[] modelWith(String place, ProtoWriter tensor) {
        ProtoWriter graph = graph(value("x", FLOAT, -1, 4)).message(12, value("y", FLOAT, -1, 4));
        ProtoWriter sparse = new ProtoWriter().message(1, tensor);
        ProtoWriter sub = new ProtoWriter().message(5, tensor);
        ProtoWriter function = new ProtoWriter();
        ProtoWriter training = new ProtoWriter();
        switch (place) {
            case "weights" -> graph.message(5, tensor);
            case "attribute" -> graph.message(1, node(5, tensor));
            case "attribute's list" -> graph.message(1, node(10, tensor));
            case "sparse weights" -> graph.message(15, sparse);
            case "sparse attribute" -> graph.message(1, node(22, sparse));
            case "subgraph" -> graph.message(1, node(6, sub));
            case "subgraph's subgraph" ->
                    graph.message(1, node(11, new ProtoWriter().message(1, node(6, sub))));
            case "function" -> function.message(7, node(5, tensor));
            case "function's default" -> function.message(11, new ProtoWriter().message(5, tensor));
            case "training" -> training.message(2, sub);
            default -> throw new IllegalArgumentException(place);
        }
        return new ProtoWriter()
                .message(7, graph)
                .message(20, training)
                .message(25, function)
                .toBytes();
    }

    private static ProtoWriter node(int attributeField, ProtoWriter value) {
        return new ProtoWriter().message(5, new ProtoWriter().message(attributeField, value));
    }

    @Test
    void refusesTwoGraphsWhichOthersWouldMerge() {
        ProtoWriter first = graph(value("x", FLOAT, -1, 4)).message(12, value("y", FLOAT, -1, 4));

        assertRefused(
                new ProtoWriter().message(7, first).message(7, first).toBytes(),
                "it is not an ONNX model, or it is damaged: the model has two graphs");
    }

    @Test
    void refusesGraphsNestedWithoutEnd() {
        ProtoWriter graph = new ProtoWriter();
        for (int i = 0; i < 1000; i++) {
            graph = new ProtoWriter().message(1, node(6, graph));
        }
        assertRefused(
                wrap(graph.toBytes()),
                "it is not an ONNX model, or it is damaged: messages are nested more than 100 levels deep");
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
