// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.model.graph.Activation;
import io.flinkmoe.model.graph.ExpertGraphs;
import io.flinkmoe.model.graph.ProtoWriter;
import io.flinkmoe.model.graph.RouterGraphs;
import io.flinkmoe.routing.RoutingConfig;
import io.flinkmoe.routing.ScoringFunc;
import io.flinkmoe.tensor.Sha256;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.assertj.core.api.AbstractStringAssert;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Each test breaks one thing in a good bundle of one layer: d = 4, N = 2, k = 1. */
class BundleTest {
    private static final int D = 4;
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir Path dir;
    private Path root;

    @BeforeEach
    void writeBundle() throws Exception {
        root = dir.resolve("bundle");
        try (BundleWriter writer = new BundleWriter(root)) {
            writer.add("encoder.onnx", RouterGraphs.linear(new float[D * 3], D, 3));
            writer.add("norm.onnx", ExpertGraphs.rmsNorm(new float[D], D, 1e-5f));
            writer.add("router.onnx", RouterGraphs.linear(new float[2 * D], 2, D));
            List<String> experts = new ArrayList<>();
            for (int e = 0; e < 2; e++) {
                experts.add("experts/%d.onnx".formatted(e));
                writer.add(experts.get(e), expert(D));
            }
            LayerSpec layer =
                    LayerSpec.oneGate(D, "router.onnx", RoutingConfig.mixtral(2, 1), experts)
                            .withNorm("norm.onnx");
            writer.finish(
                    (version, checksums) ->
                            new BundleSpec(
                                    2,
                                    "small",
                                    version,
                                    3,
                                    D,
                                    ModelFile.of("encoder.onnx"),
                                    null,
                                    List.of(layer),
                                    checksums));
        }
    }

    @Test
    void readsAGoodBundle() throws Exception {
        Bundle bundle = Bundle.read(root);

        assertThat(bundle.spec().layers().get(0).experts())
                .containsExactly(
                        new ExpertSpec(null, ModelFile.of("experts/0.onnx"), null, D),
                        new ExpertSpec(null, ModelFile.of("experts/1.onnx"), null, D));
        assertThat(bundle.spec().head()).isNull();
        assertThat(bundle.file("experts/1.onnx")).exists();
        assertThat(bundle.directory()).isEqualTo(root);
    }

    @Test
    void writesTheNamesOfHuggingFaceConfigs() throws Exception {
        JsonNode routing = modelJson().at("/layers/0/gates/0/routing");

        assertThat(routing)
                .isEqualTo(
                        JSON.readTree(
                                """
                                {"num_experts": 2, "num_experts_per_tok": 1,
                                 "scoring_func": "softmax", "norm_topk_prob": true}
                                """));
        assertThat(modelJson().at("/layers/0/residual").textValue()).isEqualTo("input");
    }

    @Test
    void readsEveryFieldOfALayerThatItWrites() throws Exception {
        LayerSpec layer = severalGates();
        Bundle written = write(layer);

        assertThat(Bundle.read(written.directory()).spec().layers()).containsExactly(layer);
        JsonNode json =
                JSON.readTree(written.directory().resolve("model.json").toFile()).at("/layers/0");
        assertThat(json)
                .isEqualTo(
                        JSON.readTree(
                                """
                                {"input_size": 4, "output_size": 8, "norm": "norm.onnx",
                                 "residual": "none", "shared_experts": ["shared.onnx"],
                                 "experts": [
                                  {"name": "left", "file": "half.onnx", "input": [0, 2],
                                   "output_size": 4},
                                  {"file": "whole.onnx", "output_size": 4}],
                                 "gates": [
                                  {"name": "first", "router": "router.onnx",
                                   "router_input": "hidden", "input": [1, 3], "experts": [1, 0],
                                   "routing": {"num_experts": 2, "scoring_func": "identity",
                                    "norm_topk_prob": false}},
                                  {"name": "second",
                                   "rule": {"stream": true, "table": {"s": "left"},
                                    "fallback": "1"}}]}
                                """));
    }

    private static LayerSpec severalGates() {
        RoutingConfig dense =
                new RoutingConfig(
                        2, null, ScoringFunc.IDENTITY, null, null, false, null, null, null);
        return new LayerSpec(
                D,
                2 * D,
                ModelFile.of("norm.onnx"),
                null,
                ResidualKind.NONE,
                List.of(
                        new ExpertSpec("left", ModelFile.of("half.onnx"), new Slice(0, 2), D),
                        ExpertSpec.of("whole.onnx", D)),
                List.of(ModelFile.of("shared.onnx")),
                List.of(
                        new GateSpec(
                                "first",
                                ModelFile.of("router.onnx"),
                                GateSpec.RouterInput.HIDDEN,
                                null,
                                new Slice(1, 3),
                                List.of(1, 0),
                                dense,
                                null),
                        GateSpec.of("second", RuleSpec.ofStream(Map.of("s", "left"), "1"))),
                null);
    }

    private Bundle write(LayerSpec layer) throws Exception {
        try (BundleWriter writer = new BundleWriter(dir.resolve("gates"))) {
            writer.add("norm.onnx", ExpertGraphs.rmsNorm(new float[D], D, 1e-5f));
            writer.add("router.onnx", RouterGraphs.linear(new float[2 * 2], 2, 2));
            writer.add("half.onnx", RouterGraphs.linear(new float[D * 2], D, 2));
            writer.add("whole.onnx", expert(D));
            writer.add("shared.onnx", RouterGraphs.linear(new float[2 * D * D], 2 * D, D));
            return writer.finish(
                    (version, checksums) ->
                            new BundleSpec(
                                    BundleSpec.FORMAT_VERSION,
                                    "gates",
                                    version,
                                    D,
                                    2 * D,
                                    null,
                                    null,
                                    List.of(layer),
                                    checksums));
        }
    }

    /** The widths of slices, gates and outputs count, not those of the layer. */
    @Test
    void refusesModelsThatDoNotFitTheSlicesOfALayer() throws Exception {
        root = write(severalGates()).directory();
        byte[] wide = RouterGraphs.linear(new float[D * D], D, D);

        replace("half.onnx", wide);
        assertRefused(
                "half.onnx: input hidden is [batch, 4]; expected [batch, 2],"
                        + " the layers[0].experts[0].input of model.json");
        replace("half.onnx", RouterGraphs.linear(new float[D * 2], D, 2));

        replace("router.onnx", RouterGraphs.linear(new float[2 * D], 2, D));
        assertRefused(
                "router.onnx: input hidden is [batch, 4]; expected [batch, 2],"
                        + " the layers[0].gates[0].input of model.json");
        replace("router.onnx", RouterGraphs.linear(new float[2 * 2], 2, 2));

        replace("shared.onnx", wide);
        assertRefused(
                "shared.onnx: output logits is [batch, 4]; expected [batch, 8],"
                        + " the layers[0].output_size of model.json");
    }

    @Test
    void namesWhatIsWrongInASlice() throws Exception {
        edit(json -> json.withObject("/layers/0/experts/1").putArray("input").add(2).add(1));
        assertRefused("layers[0].experts[1].input: [2, 1] is no slice; allowed: [from, to]");

        edit(json -> json.withObject("/layers/0/experts/1").putArray("input").add(0).add(5));
        assertRefused("layers[0]: experts[1].input is [0, 5], but input_size is 4");

        edit(json -> json.withObject("/layers/0/experts/1").put("input", "0-2"));
        assertRefused("layers[0].experts[1].input is \"0-2\"; expected [from, to], two integers");

        edit(json -> json.withObject("/layers/0/experts/1").putArray("input").add(0));
        assertRefused("layers[0].experts[1].input is [0]; expected [from, to], two integers");

        // The first two are the whole width, so nothing else would notice the third.
        edit(json -> json.withObject("/layers/0/experts/1").putArray("input").add(0).add(4).add(2));
        assertRefused("layers[0].experts[1].input is [0,4,2]; expected [from, to], two integers");

        edit(json -> json.withObject("/layers/0/experts/1").putArray("input").add("0").add("4"));
        assertRefused(
                "layers[0].experts[1].input is [\"0\",\"4\"]; expected [from, to], two integers");
    }

    @Test
    void namesWhatIsWrongInARule() throws Exception {
        edit(
                json -> {
                    ObjectNode gate = json.withObject("/layers/0/gates/0");
                    gate.removeAll();
                    gate.putObject("rule").put("stream", true).put("fallback", "x");
                });
        assertRefused("layers[0].gates[0].rule: table is missing; set it");

        edit(json -> json.withObject("/layers/0/gates/0/rule").putObject("table").put("s", "0"));
        assertRefused("layers[0]: gates[0].rule chooses the expert x, which is not there");

        edit(json -> json.withObject("/layers/0/gates/0/rule").remove("stream"));
        assertRefused(
                "layers[0].gates[0].rule: stream is null and column is null; set stream to true, or column to the name of an input");

        edit(json -> json.withObject("/layers/0/gates/0/rule").put("column", "card"));
        edit(json -> json.withObject("/layers/0/gates/0/rule").put("fallback", "1"));
        assertRefused(
                "layers[0] has a rule with the column card, and the inputs are x float[3]; allowed: the name of an input of type string, bool, int32 or int64 with one value in a row");
    }

    @Test
    void refusesLayersWhoseWidthsDoNotChain() throws Exception {
        edit(
                json -> {
                    ObjectNode next = json.withObject("/layers/0").deepCopy();
                    next.put("input_size", 3).put("residual", "none");
                    ((ArrayNode) json.at("/layers")).add(next);
                });
        assertRefused(
                "layers[1].input_size is 3, but output_size of layers[0] is 4; they must be equal");
    }

    @Test
    void refusesATokensOwnValuesAfterTheFirstLayer() throws Exception {
        edit(
                json -> {
                    ObjectNode next = json.withObject("/layers/0").deepCopy();
                    next.withObject("/gates/0").put("router_input", "token");
                    ((ArrayNode) json.at("/layers")).add(next);
                });
        assertRefused(
                "router_input of layers[1] is token;"
                        + " only the routers of layers[0] can read the token's own values");
    }

    @Test
    void refusesAnInputSizeThatNeedsAnEncoder() throws Exception {
        edit(json -> json.remove("encoder"));
        assertRefused(
                "inputs are [x float[3]], but layers[0].input_size is 4;"
                        + " without encoder they must be equal");
    }

    @Test
    void namesAMissingFormatVersion() throws Exception {
        edit(json -> json.remove("format_version"));
        assertRefused("format_version is missing; expected an integer");
    }

    @Test
    void namesAMissingDirectory() {
        root = dir.resolve("nowhere");
        assertRefused("nowhere: there is no such directory; pass the one that holds model.json");
    }

    @Test
    void namesAMissingModelJson() throws Exception {
        Files.delete(root.resolve("model.json"));
        assertRefused("model.json: there is no such file");
    }

    @Test
    void namesAMissingFile() throws Exception {
        Files.delete(root.resolve("experts/1.onnx"));
        assertRefused("experts/1.onnx: there is no such file, but model.json lists it");
    }

    @Test
    void namesTheLineOfBadJson() throws Exception {
        Files.writeString(root.resolve("model.json"), "{\n\"name\": oops}");
        assertRefused("model.json: not valid JSON at line 2");

        Files.writeString(root.resolve("model.json"), "{\"name\": 1, \"name\": 2}");
        assertRefused("model.json: not valid JSON at line 1: Duplicate field 'name'");

        Files.writeString(root.resolve("model.json"), "");
        assertRefused("model.json: it is empty; copy or download it again");

        for (String text : List.of("null", "[{}]")) {
            Files.writeString(root.resolve("model.json"), text);
            assertRefused("model.json: it is not a JSON object");
        }
    }

    @Test
    void namesAnUnknownFieldAndTheKnownOnes() throws Exception {
        edit(json -> json.withObject("/layers/0/gates/0/routing").put("num_expert", 2));
        assertRefused(
                        "layers[0].gates[0].routing.num_expert is not a known field; known fields are [")
                .contains("num_experts_per_tok")
                .contains("norm_topk_prob");
    }

    @Test
    void namesAFieldOfTheWrongType() throws Exception {
        edit(json -> json.withObject("/layers/0").put("output_size", "wide"));
        assertRefused("layers[0].output_size is \"wide\"; expected an integer");
    }

    /** What may be left out has the type of an object in Java; the message must not call it so. */
    @Test
    void namesAnOptionalNumberOfTheWrongType() throws Exception {
        edit(json -> json.withObject("/layers/0/gates/0").putArray("experts").add(1).add("a"));
        assertRefused("layers[0].gates[0].experts[1] is \"a\"; expected an integer");
        edit(json -> json.withObject("/layers/0/gates/0").remove("experts"));

        edit(json -> routing(json).put("num_experts_per_tok", 1.5));
        assertRefused("layers[0].gates[0].routing.num_experts_per_tok is 1.5; expected an integer");
        edit(json -> routing(json).put("num_experts_per_tok", 1));

        edit(json -> routing(json).put("routed_scaling_factor", "x"));
        assertRefused(
                "layers[0].gates[0].routing.routed_scaling_factor is \"x\"; expected a number");
        edit(json -> routing(json).remove("routed_scaling_factor"));

        edit(json -> routing(json).putArray("e_score_correction_bias").add(1).addNull());
        assertRefused(
                "layers[0].gates[0].routing: e_score_correction_bias[1] is null;"
                        + " allowed: finite values");
    }

    private static ObjectNode routing(ObjectNode json) {
        return json.withObject("/layers/0/gates/0/routing");
    }

    @Test
    void namesAStringInPlaceOfAList() throws Exception {
        edit(json -> json.withObject("/layers/0").put("experts", "experts/0.onnx"));
        assertRefused("layers[0].experts is \"experts/0.onnx\"; expected a list");
    }

    @Test
    void doesNotRoundNumbers() throws Exception {
        edit(json -> json.withObject("/layers/0").put("input_size", 4.5));
        assertRefused("layers[0].input_size is 4.5; expected an integer");
    }

    @Test
    void namesAMissingNumber() throws Exception {
        edit(json -> json.withObject("/layers/0").remove("output_size"));
        assertRefused("layers[0].output_size is missing; expected an integer");
    }

    @Test
    void namesAnUnknownScoringFunc() throws Exception {
        edit(json -> json.withObject("/layers/0/gates/0/routing").put("scoring_func", "hardmax"));
        assertRefused(
                "layers[0].gates[0].routing.scoring_func is \"hardmax\"; expected one of [softmax");
    }

    @Test
    void namesARoutingThatCannotBe() throws Exception {
        edit(json -> json.withObject("/layers/0/gates/0/routing").put("num_experts_per_tok", 3));
        assertRefused(
                "layers[0].gates[0].routing: num_experts_per_tok is 3;"
                        + " allowed: 1 to num_experts, which is 2");
    }

    @Test
    void refusesAnotherFormatVersion() throws Exception {
        edit(json -> json.put("format_version", 3));
        assertRefused("model.json: format_version is 3; this release reads 2");
    }

    /** Its fields differ, so the version is looked at before them. */
    @Test
    void saysHowToMakeABundleOfFormat1Again() throws Exception {
        Files.writeString(
                root.resolve("model.json"),
                """
                {"format_version": 1, "name": "small", "version": "v", "input_size": 3,
                 "hidden_size": 4, "output_size": 4, "layers": [{"router": "router.onnx"}]}
                """);
        assertRefused(
                "model.json: format_version is 1; this release reads 2; make the bundle again:"
                        + " moe import --checkpoint CHECKPOINT --output BUNDLE");
    }

    @Test
    void refusesAWrongNumberOfExperts() throws Exception {
        edit(json -> ((ArrayNode) json.at("/layers/0/experts")).remove(1));
        assertRefused(
                "layers[0]: gates[0].routing.num_experts is 2, but the layer has 1 experts;"
                        + " they must be equal, or list the gate's experts in gates[0].experts");
    }

    @Test
    void refusesABundleWithoutLayers() throws Exception {
        edit(json -> json.putArray("layers"));
        assertRefused("model.json: layers is missing or empty");
    }

    @Test
    void refusesAnOutputSizeThatNeedsAHead() throws Exception {
        edit(json -> json.withObject("/outputs/0").put("width", 1));
        assertRefused(
                "outputs have 1 values, but layers[0].output_size is 4; without head they must be equal");
    }

    @Test
    void namesALayerFieldThatIsMissing() throws Exception {
        edit(json -> json.withObject("/layers/0/gates/0").remove("router"));
        assertRefused("layers[0].gates[0]: router is missing; set router and routing, or set rule");
    }

    @Test
    void refusesAFileWithoutChecksum() throws Exception {
        edit(json -> json.withObject("/checksums").remove("norm.onnx"));
        assertRefused("model.json: checksums has no entry for norm.onnx");
    }

    @Test
    void refusesAChangedFile() throws Exception {
        Path expert = root.resolve("experts/1.onnx");
        byte[] bytes = Files.readAllBytes(expert);
        bytes[bytes.length / 2] ^= 1;
        Files.write(expert, bytes);

        assertRefused("experts/1.onnx: its SHA-256 is ").contains(" according to model.json");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "../x.onnx",
                "..",
                "/etc/passwd",
                "a/../../x",
                "./a",
                "a//b",
                "a/",
                "c:\\x",
                "a\0b",
                "half a pair \ud800",
                ""
            })
    void refusesAPathThatLeavesTheBundle(String path) throws Exception {
        edit(json -> json.withObject("/layers/0/experts/1").put("file", path));
        assertRefused("layers[0].experts[1].file: file is ");
    }

    /** A rule's table may stand in a file of the bundle, which has a checksum, too. */
    @Test
    void readsTheTableOfARuleFromItsFile() throws Exception {
        root = write(severalGates()).directory();
        Path table = Files.writeString(root.resolve("t.csv"), "acme,left\nother,1\n");
        edit(
                json -> {
                    ObjectNode rule = json.withObject("/layers/0/gates/1/rule");
                    rule.remove("table");
                    rule.put("table_file", "t.csv");
                });
        assertRefused("checksums has no entry for t.csv");

        edit(json -> json.withObject("/checksums").put("t.csv", sha256(table)));
        assertThat(Bundle.read(root).spec().layers().get(0).gates().get(1).rule().table())
                .isEqualTo(Map.of("acme", "left", "other", "1"));

        Files.writeString(table, "acme,right\n");
        assertRefused("t.csv: its SHA-256 is");
        edit(json -> json.withObject("/checksums").put("t.csv", sha256(table)));
        assertRefused(
                "t.csv: line 1 has the expert 'right', which is not there; allowed: [left, 1]");
        edit(json -> json.withObject("/layers/0/gates/1/rule").put("table_file", "../t.csv"));
        assertRefused("layers[0].gates[1].rule.table_file is '../t.csv'");
        edit(
                json -> {
                    ObjectNode rule = json.withObject("/layers/0/gates/1/rule");
                    rule.put("table_file", "t.csv").putObject("table");
                });
        assertRefused("has a table and the table_file 't.csv'; remove one of the two");
    }

    private static String sha256(Path file) {
        try {
            return Sha256.of(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void refusesALinkThatLeavesTheBundle() throws Exception {
        Path outside = dir.resolve("outside.onnx");
        Files.move(root.resolve("norm.onnx"), outside);
        Files.createSymbolicLink(root.resolve("norm.onnx"), outside);

        assertRefused("norm.onnx: it links to ").contains("outside.onnx, outside the bundle");
    }

    @Test
    void refusesALinkedDirectoryThatLeavesTheBundle() throws Exception {
        Path outside = dir.resolve("outside");
        Files.move(root.resolve("experts"), outside);
        Files.createSymbolicLink(root.resolve("experts"), outside);

        assertRefused("experts/0.onnx: it links to ").contains(", outside the bundle");
    }

    @Test
    void refusesAModelJsonThatLeavesTheBundle() throws Exception {
        Path outside = dir.resolve("outside.json");
        Files.move(root.resolve("model.json"), outside);
        Files.createSymbolicLink(root.resolve("model.json"), outside);

        assertRefused("model.json: it links to ").contains("outside.json, outside the bundle");
    }

    @Test
    void refusesAPathThatLeavesTheBundleAmongTheChecksumsToo() throws Exception {
        edit(json -> json.withObject("/checksums").put("../x.onnx", "00"));
        assertRefused("checksums is '../x.onnx'; expected a path inside the bundle");
    }

    @Test
    void refusesAModelWithWeightsInASeparateFile() throws Exception {
        Files.writeString(root.resolve("weights.bin"), "12345678");
        ProtoWriter tensor =
                new ProtoWriter()
                        .string(8, "weight")
                        .message(
                                13,
                                new ProtoWriter().string(1, "location").string(2, "weights.bin"))
                        .varint(14, 1);
        replace(
                "norm.onnx",
                new ProtoWriter().message(7, new ProtoWriter().message(5, tensor)).toBytes());
        assertRefused("norm.onnx: its weights are in a separate file");
    }

    @Test
    void refusesAModelJsonOfAnyOtherKindOfBytes() throws Exception {
        Files.write(root.resolve("model.json"), new byte[] {0, 0, 0, '{', 0x7F, 0, 0, 1});
        assertRefused("model.json: not valid JSON: Invalid UTF-32 character");

        Files.writeString(root.resolve("model.json"), "[".repeat(100_000));
        assertRefused("model.json: not valid JSON: Document nesting depth (1001)");

        Files.writeString(root.resolve("model.json"), "{\"a\": " + "9".repeat(100_000) + "}");
        assertRefused("model.json: not valid JSON: Number value length (100000)");
    }

    @Test
    void refusesAModelJsonThatWouldFillTheMemory() throws Exception {
        try (RandomAccessFile file =
                new RandomAccessFile(root.resolve("model.json").toFile(), "rw")) {
            file.setLength(1L << 40);
        }
        assertRefused("model.json: it has 1099511627776 bytes; allowed: up to 33554432");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, -1, 1 << 20 | 1, Integer.MAX_VALUE})
    void refusesWidthsThatNoModelHas(int width) throws Exception {
        edit(json -> json.withObject("/inputs/0").put("width", width));
        assertRefused(
                "model.json: inputs[0]: width of x is %d; allowed: 1 to 1048576, or none for one value in a row"
                        .formatted(width));
    }

    @Test
    void followsALinkToTheBundleItself() throws Exception {
        Path link = Files.createSymbolicLink(dir.resolve("link"), root);

        assertThat(Bundle.read(link).spec()).isEqualTo(Bundle.read(root).spec());
    }

    @Test
    void refusesAnExpertWhoseWidthDiffers() throws Exception {
        replace("experts/1.onnx", expert(D + 1));
        assertRefused(
                "experts/1.onnx: input hidden is [batch, 5];"
                        + " expected [batch, 4], the layers[0].input_size of model.json");

        replace("experts/1.onnx", RouterGraphs.linear(new float[7 * D], 7, D));
        assertRefused("experts/1.onnx: output logits is [batch, 7]; expected [batch, 4]");
    }

    @Test
    void refusesARouterForAnotherNumberOfExperts() throws Exception {
        replace("router.onnx", RouterGraphs.linear(new float[3 * D], 3, D));
        assertRefused(
                "router.onnx: output logits is [batch, 3];"
                        + " expected [batch, 2], the layers[0].gates[0].routing.num_experts of model.json");
    }

    @Test
    void refusesAnEncoderForAnotherInput() throws Exception {
        edit(json -> json.withObject("/inputs/0").put("width", 5));
        assertRefused(
                "encoder.onnx: input hidden is [batch, 3];"
                        + " expected [batch, 5], the inputs[0].width of model.json");
    }

    @Test
    void refusesAFileThatIsNoModel() throws Exception {
        replace("norm.onnx", "not a model".getBytes(StandardCharsets.UTF_8));
        assertRefused("norm.onnx: it is not an ONNX model, or it is damaged: ");
    }

    private static byte[] expert(int d) {
        return ExpertGraphs.gated(
                Activation.SILU, new float[6 * d], new float[6 * d], new float[6 * d], d, 6);
    }

    private AbstractStringAssert<?> assertRefused(String message) {
        return assertThatThrownBy(() -> Bundle.read(root))
                .isInstanceOf(BundleException.class)
                .hasMessageContaining(dir.toString())
                .hasMessageContaining(message)
                .message();
    }

    private ObjectNode modelJson() throws IOException {
        return (ObjectNode) JSON.readTree(root.resolve("model.json").toFile());
    }

    private void edit(Consumer<ObjectNode> change) throws IOException {
        ObjectNode json = modelJson();
        change.accept(json);
        JSON.writeValue(root.resolve("model.json").toFile(), json);
    }

    /** Replaces a file and its checksum. */
    private void replace(String file, byte[] content) throws IOException {
        Files.write(root.resolve(file), content);
        edit(json -> json.withObject("/checksums").put(file, Sha256.of(content)));
    }
}
