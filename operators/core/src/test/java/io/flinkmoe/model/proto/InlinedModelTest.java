// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.proto;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.BundleWriter;
import io.flinkmoe.model.graph.FileContent;
import io.flinkmoe.model.graph.ProtoWriter;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights beside a model move into it, and nothing else changes. */
class InlinedModelTest {

    private static final byte[] DATA = "0123456789".getBytes(StandardCharsets.US_ASCII);

    @TempDir private Path folder;

    private Path model;

    @BeforeEach
    void writeData() throws IOException {
        model = folder.resolve("parts/model.onnx");
        Files.createDirectories(model.getParent().resolve("deep"));
        Files.write(model.getParent().resolve("model.onnx.data"), DATA);
        Files.write(model.getParent().resolve("deep/w.bin"), DATA);
        Files.write(folder.resolve("outside"), DATA);
    }

    @Test
    void aModelWithoutExternalDataKeepsItsBytes() throws Exception {
        byte[] bytes = model(graph(tensor("w").bytes(9, DATA))).toBytes();

        assertThat(inlined(bytes)).isEqualTo(bytes);
    }

    /** Offset and length are optional; the order of the other fields stays. */
    @Test
    void weightsMoveIntoTheModel() throws Exception {
        ProtoWriter part =
                tensor("a")
                        .message(13, entry("location", "model.onnx.data"))
                        .message(13, entry("offset", "2"))
                        .message(13, entry("length", "3"))
                        .varint(14, 1);
        ProtoWriter all = tensor("b").message(13, entry("location", "deep/w.bin")).varint(14, 1);

        assertThat(inlined(model(graph(part).message(5, all)).toBytes()))
                .isEqualTo(
                        model(
                                        graph(tensor("a").bytes(9, "234".getBytes()))
                                                .message(5, tensor("b").bytes(9, DATA)))
                                .toBytes());
    }

    @Test
    void weightsOfSubgraphsMoveToo() throws Exception {
        ProtoWriter all = tensor("b").message(13, entry("location", "deep/w.bin")).varint(14, 1);

        assertThat(inlined(model(nested(all)).toBytes()))
                .isEqualTo(model(nested(tensor("b").bytes(9, DATA))).toBytes());
    }

    private static ProtoWriter nested(ProtoWriter tensor) {
        ProtoWriter attribute =
                new ProtoWriter().string(1, "then_branch").message(6, graph(tensor));
        return new ProtoWriter()
                .message(1, new ProtoWriter().string(4, "If").message(5, attribute))
                .string(2, "outer");
    }

    @Test
    void aMissingFileIsNamed() {
        assertRefused(
                "other.data",
                null,
                "the weights of w are in a separate file, %s, which is not there; copy it into the folder of model.onnx"
                        .formatted(model.resolveSibling("other.data")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../outside",
                "deep/../../outside",
                "/etc/passwd",
                "*/_ORT_MEM_ADDR_/*/../../../..",
                "",
                "."
            })
    void aFileInAnotherFolderIsRefused(String location) {
        assertRefused(
                location,
                null,
                "the weights of w are in '%s'; allowed: a file in the model's own folder"
                        .formatted(location));
    }

    @Test
    void aLinkToAnotherFolderIsRefused() throws Exception {
        Files.createSymbolicLink(
                model.resolveSibling("link"), folder.resolve("outside").toAbsolutePath());

        assertRefused("link", null, "outside the model's folder; copy the file into the folder");
    }

    @ParameterizedTest
    @ValueSource(strings = {"8", "11", "9223372036854775807"})
    void aFileThatIsTooShortIsRefused(String offset) {
        assertRefused(
                "model.onnx.data",
                offset,
                "of model.onnx.data, but that file has 10 bytes; copy it again from where the model was exported");
    }

    @ParameterizedTest
    @ValueSource(strings = {"-1", "x", "99999999999999999999"})
    void anOffsetThatIsNoNumberIsRefused(String offset) {
        assertRefused(
                "model.onnx.data",
                offset,
                "the offset of the external data of w is '%s'; expected a number"
                        .formatted(offset));
    }

    private void assertRefused(String location, String offset, String message) {
        ProtoWriter tensor = tensor("w").message(13, entry("location", location)).varint(14, 1);
        if (offset != null) {
            tensor.message(13, entry("offset", offset)).message(13, entry("length", "3"));
        }
        assertThatThrownBy(() -> inlined(model(graph(tensor)).toBytes()))
                .isInstanceOf(BundleException.class)
                .hasMessageStartingWith(model + ": ")
                .hasMessageContaining(message);
    }

    private byte[] inlined(byte[] bytes) throws IOException {
        Files.write(model, bytes);
        FileContent content = BundleWriter.contentOf(model);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        content.writeTo(out);
        assertThat(content.size()).isEqualTo(out.size());
        return out.toByteArray();
    }

    private static ProtoWriter model(ProtoWriter graph) {
        return new ProtoWriter().varint(1, 8).message(7, graph).string(6, "doc");
    }

    private static ProtoWriter graph(ProtoWriter tensor) {
        return new ProtoWriter().message(5, tensor);
    }

    private static ProtoWriter tensor(String name) {
        return new ProtoWriter().varint(1, 10).varint(2, 2).string(8, name);
    }

    private static ProtoWriter entry(String key, String value) {
        return new ProtoWriter().string(1, key).string(2, value);
    }
}
