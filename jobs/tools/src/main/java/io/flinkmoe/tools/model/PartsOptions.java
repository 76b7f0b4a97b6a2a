// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.model.FileErrors;
import io.flinkmoe.model.parts.Manifest;
import io.flinkmoe.tools.text.ManifestFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.annotation.Internal;
import picocli.CommandLine.Option;

/** The options of {@code moe import --parts}. They make a manifest if the folder has none. */
@Internal
final class PartsOptions {

    private static final String MANIFEST = "manifest.yaml";

    /** What sets the fields of the manifest that is made of the flags. */
    private static final Map<String, String> NAMES =
            Map.ofEntries(
                    Map.entry("layers[0]", "the layer"),
                    Map.entry("layers[0].residual", "--residual"),
                    Map.entry("layers[0].experts", "the experts"),
                    Map.entry("layers[0].experts.file", "the pattern of the experts' files"),
                    Map.entry("layers[0].experts.output", "--expert-output"),
                    Map.entry("layers[0].experts.state_dict", "--state-dict"),
                    Map.entry("layers[0].experts.linears", "--experts"),
                    Map.entry("layers[0].experts.activations", "--activations"),
                    Map.entry("layers[0].gates[0]", "the gate"),
                    Map.entry("layers[0].gates[0].scoring_func", "--scoring-func"),
                    Map.entry("layers[0].gates[0].num_experts_per_tok", "--num-experts-per-tok"),
                    Map.entry("layers[0].gates[0].norm_topk_prob", "--norm-topk-prob"),
                    Map.entry("layers[0].gates[0].router", "the router"),
                    Map.entry("layers[0].gates[0].router.file", "the router's file"),
                    Map.entry("layers[0].gates[0].router.output", "--router-output"),
                    Map.entry("layers[0].gates[0].router.state_dict", "--state-dict"),
                    Map.entry("layers[0].gates[0].router.linears", "--router"));

    @Option(
            names = "--parts",
            paramLabel = "DIR",
            description = {
                "A folder with manifest.yaml and the parts that it names: ONNX files, or PyTorch"
                        + " state dicts in safetensors files.",
                "Without a manifest: router.onnx, experts/0.onnx, experts/1.onnx, ... and, if they"
                        + " are there, encoder.onnx and head.onnx; or one state dict and --router,"
                        + " --experts and --activations. Then --residual and --scoring-func are"
                        + " required."
            })
    Path folder;

    @Option(
            names = "--residual",
            paramLabel = "KIND",
            description = "What the experts' outputs are added to: input or none.")
    private String residual;

    @Option(
            names = "--scoring-func",
            paramLabel = "FUNCTION",
            description = "How the router's outputs become scores: softmax, sigmoid or identity.")
    private String scoringFunc;

    @Option(
            names = "--num-experts-per-tok",
            paramLabel = "K",
            description = "How many experts a token is sent to. Default: all (a dense gate).")
    private Integer numExpertsPerTok;

    @Option(
            names = "--norm-topk-prob",
            paramLabel = "BOOL",
            arity = "1",
            description =
                    "Whether the weights of the K experts are divided by their sum; required with"
                            + " --num-experts-per-tok.")
    private Boolean normTopkProb;

    @Option(
            names = "--state-dict",
            paramLabel = "FILE",
            description = "A state dict in the folder, such as model.safetensors.")
    private String stateDict;

    @Option(
            names = "--router",
            paramLabel = "LINEAR",
            description = "The router's linear layer in the state dict, such as router.linear.")
    private String router;

    @Option(
            names = "--experts",
            paramLabel = "LINEAR[,LINEAR...]",
            split = ",",
            description =
                    "The linear layers of an expert in the state dict, with {e} for its number,"
                            + " such as experts.{e}.0,experts.{e}.2.")
    private List<String> experts = List.of();

    @Option(
            names = "--activations",
            paramLabel = "NAME[,NAME...]",
            split = ",",
            description =
                    "The activation after each linear layer of an expert: relu, silu, gelu_erf,"
                            + " gelu_tanh, tanh, sigmoid, leaky_relu or none.")
    private List<String> activations = List.of();

    @Option(
            names = "--router-output",
            paramLabel = "NAME",
            description =
                    "The output of router.onnx that has the logits; required if it has several"
                            + " outputs.")
    private String routerOutput;

    @Option(
            names = "--expert-output",
            paramLabel = "NAME",
            description =
                    "The output of the experts' ONNX files that is used, such as probabilities;"
                            + " required if they have several outputs.")
    private String expertOutput;

    /** Whether any of the options is set. */
    boolean areUsed() {
        return folder != null || !flags().isEmpty();
    }

    private List<String> flags() {
        List<String> flags = new ArrayList<>();
        add(flags, "--residual", residual != null);
        add(flags, "--scoring-func", scoringFunc != null);
        add(flags, "--num-experts-per-tok", numExpertsPerTok != null);
        add(flags, "--norm-topk-prob", normTopkProb != null);
        add(flags, "--state-dict", stateDict != null);
        add(flags, "--router", router != null);
        add(flags, "--experts", !experts.isEmpty());
        add(flags, "--activations", !activations.isEmpty());
        add(flags, "--router-output", routerOutput != null);
        add(flags, "--expert-output", expertOutput != null);
        return flags;
    }

    private static void add(List<String> flags, String flag, boolean isSet) {
        if (isSet) {
            flags.add(flag);
        }
    }

    /** Returns the manifest of the folder, or one made from the flags. */
    Manifest manifest() throws IOException {
        if (!Files.isDirectory(folder)) {
            throw new BundleException(folder, FileErrors.notAFolder(folder));
        }
        Path file = folder.resolve(MANIFEST);
        if (!Files.exists(file)) {
            return new Manifest(fromFlags(), folder, folder, NAMES);
        }
        if (!flags().isEmpty()) {
            throw new BundleException(
                    file,
                    "the folder has a manifest, so %s cannot be given; change the manifest"
                            .formatted(String.join(", ", flags())));
        }
        return ManifestFile.read(file);
    }

    /** A missing key is refused by the importer, as in a manifest. */
    private ObjectNode fromFlags() {
        ObjectNode manifest = JsonNodeFactory.instance.objectNode();
        for (String part : List.of("encoder", "head")) {
            if (Files.exists(folder.resolve(part + ".onnx"))) {
                manifest.put(part, part + ".onnx");
            }
        }
        ObjectNode layer = manifest.putArray("layers").addObject();
        put(layer, "residual", residual);
        ObjectNode gate = layer.putArray("gates").addObject();
        if (stateDict == null) {
            onnx(layer.putObject("experts"), "experts/*.onnx", expertOutput);
            onnx(gate.putObject("router"), "router.onnx", routerOutput);
        } else {
            state(layer.putObject("experts"), experts, activations);
            state(
                    gate.putObject("router"),
                    router == null ? List.of() : List.of(router),
                    List.of("none"));
        }
        put(gate, "scoring_func", scoringFunc);
        if (numExpertsPerTok != null) {
            gate.put("num_experts_per_tok", numExpertsPerTok);
        }
        if (normTopkProb != null) {
            gate.put("norm_topk_prob", normTopkProb);
        }
        return manifest;
    }

    private static void onnx(ObjectNode part, String file, String output) {
        part.put("file", file);
        put(part, "output", output);
    }

    private void state(ObjectNode part, List<String> linears, List<String> functions) {
        part.put("state_dict", stateDict);
        ArrayNode names = part.putArray("linears");
        linears.forEach(names::add);
        ArrayNode after = part.putArray("activations");
        functions.forEach(after::add);
    }

    private static void put(ObjectNode node, String field, String value) {
        if (value != null) {
            node.put(field, value);
        }
    }
}
