// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.model;

import io.flinkmoe.model.Bundle;
import io.flinkmoe.model.ExpertSpec;
import io.flinkmoe.model.GateSpec;
import io.flinkmoe.model.LayerOptions;
import io.flinkmoe.model.LayerSpec;
import io.flinkmoe.model.ModelFile;
import io.flinkmoe.model.ResidualKind;
import io.flinkmoe.routing.GroupLimit;
import io.flinkmoe.routing.RoutingConfig;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.flink.annotation.Internal;

/**
 * What a layer does, in one line: {@code softmax top-2 of 8, renormalised; SwiGLU 4096 → 14336; RMS
 * norm before}.
 */
@Internal
final class LayerSentence {

    private final Bundle bundle;
    private final LayerSpec layer;

    private LayerSentence(Bundle bundle, LayerSpec layer) {
        this.bundle = bundle;
        this.layer = layer;
    }

    static String of(Bundle bundle, LayerSpec layer) throws IOException {
        return new LayerSentence(bundle, layer).text();
    }

    private String text() throws IOException {
        List<String> parts = new ArrayList<>();
        for (int gate = 0; gate < layer.gates().size(); gate++) {
            GateSpec spec = layer.gates().get(gate);
            String name = layer.hasOneGate() ? "" : "gate %s: ".formatted(layer.gateName(gate));
            parts.add(name + (spec.rule() == null ? routing(spec.routing()) : "a rule"));
        }
        parts.add(experts());
        LayerOptions options = layer.options();
        addIf(parts, options.weighsInput(), "weights multiply the experts' input");
        addIf(parts, options.expertInput() != null, "experts work in " + layer.expertRowSize());
        addCount(parts, layer.sharedExperts(), "shared expert");
        addCount(parts, options.branchFiles(), "branch beside");
        addModel(parts, layer.norm(), "norm", " before");
        addModel(parts, options.routedOutput(), "model", " of the routed sum");
        addModel(parts, layer.postNorm(), "norm", " after");
        parts.add(residual(options));
        parts.removeIf(String::isEmpty);
        return String.join("; ", parts);
    }

    /** What a gate does. */
    static String routing(RoutingConfig routing) {
        StringBuilder text = new StringBuilder(lower(routing.scoringFunc()));
        text.append(routing.isDense() ? " dense over " : " top-%d of ".formatted(routing.k()));
        text.append(routing.numExperts());
        if (routing.groupLimit() != null) {
            GroupLimit limit = routing.groupLimit();
            text.append(" in %d of %d groups".formatted(limit.topkGroup(), limit.nGroup()));
        }
        append(text, routing.scoreCorrectionBias() != null, ", correction bias");
        append(text, routing.selectsOnLogits(), " of the logits");
        append(text, routing.logitSoftcap() != null, ", softcap " + routing.logitSoftcap());
        append(text, routing.normTopKProb(), ", renormalised");
        append(
                text,
                routing.routedScalingFactor() != null,
                ", times " + routing.routedScalingFactor());
        append(text, routing.perExpertScale() != null, ", times a scale per expert");
        return text.toString();
    }

    private String experts() throws IOException {
        List<ExpertSpec> models =
                layer.experts().stream().filter(expert -> !expert.isIdentity()).toList();
        String form = models.isEmpty() ? "" : describe(models.get(0).file(), "");
        int identities = layer.numExperts() - models.size();
        if (form.isEmpty()) {
            form = "%d to %d".formatted(layer.expertRowSize(), layer.experts().get(0).outputSize());
        }
        return identities == 0 ? form : "%s, %d identity experts".formatted(form, identities);
    }

    private String residual(LayerOptions options) {
        String kind =
                layer.residual() == ResidualKind.NONE
                        ? "no residual"
                        : layer.residual() == ResidualKind.HIDDEN ? "residual after the norm" : "";
        String scale =
                options.residualFactor() == 1 ? "" : "residual times " + options.residualFactor();
        String output = options.outputFactor() == 1 ? "" : "sum times " + options.outputFactor();
        List<String> parts = new ArrayList<>(List.of(kind, scale, output));
        parts.removeIf(String::isEmpty);
        return String.join(", ", parts);
    }

    private void addCount(List<String> parts, List<ModelFile> files, String what)
            throws IOException {
        if (files.size() == 1) {
            String form = describe(files.get(0), "");
            parts.add(form.isEmpty() ? "a " + what : "a %s (%s)".formatted(what, form));
        } else if (!files.isEmpty()) {
            parts.add("%d times %s".formatted(files.size(), what));
        }
    }

    private void addModel(List<String> parts, ModelFile file, String otherwise, String where)
            throws IOException {
        if (file != null) {
            parts.add(describe(file, otherwise) + where);
        }
    }

    private static void addIf(List<String> parts, boolean condition, String text) {
        if (condition) {
            parts.add(text);
        }
    }

    private static void append(StringBuilder text, boolean condition, String addition) {
        if (condition) {
            text.append(addition);
        }
    }

    private String describe(ModelFile model, String otherwise) throws IOException {
        String text = OnnxParameters.description(bundle.file(model.file()));
        return text.isEmpty() ? otherwise : text;
    }

    private static String lower(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }
}
