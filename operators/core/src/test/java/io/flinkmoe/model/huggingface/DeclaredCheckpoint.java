// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.flinkmoe.model.huggingface.Family.NetworkForm;
import java.util.List;
import java.util.Random;

/**
 * A small checkpoint of any family, with one MoE layer: its names and keys are those of the
 * declaration, its weights are random.
 */
final class DeclaredCheckpoint {

    /** How the experts are stored. */
    enum Experts {
        /** A tensor per matrix and expert. */
        SEPARATE,
        /** Two tensors [N, 2f, d] and [N, d, f]. */
        FUSED,
        /** Two tensors [N, d, 2f] and [N, f, d]. */
        TRANSPOSED
    }

    private static final int N = 4;
    private static final int IDENTITY_EXPERTS = 2;
    private static final int WIDTH = 6;
    private static final int INNER = 5;
    private static final int LATENT = 4;

    private final Random random = new Random(1);
    private final Family family;
    private final int alternative;
    private final PublishedCheckpoint checkpoint;
    private final String layer;
    private final boolean biased;

    private DeclaredCheckpoint(Family family, int alternative) {
        this.family = family;
        this.alternative = alternative;
        this.checkpoint = new PublishedCheckpoint(family.modelTypes().get(0));
        this.layer = "model.%s.".formatted(family.stacks().keySet().iterator().next().formatted(0));
        this.biased = isTrue(family.network().biased());
    }

    static PublishedCheckpoint of(Family family) {
        return of(family, Experts.SEPARATE, 0);
    }

    /**
     * The same weights in another form.
     *
     * @param alternative which of the names of a part, where it has several
     */
    static PublishedCheckpoint of(Family family, Experts experts, int alternative) {
        DeclaredCheckpoint declared = new DeclaredCheckpoint(family, alternative);
        declared.addKeys();
        declared.addGate();
        declared.addNorms();
        declared.addOthers();
        declared.addExperts(experts);
        return declared.checkpoint;
    }

    /** Whether fused experts have names: those of experts named {@code expert_0} have none. */
    static boolean canBeFused(Family family) {
        return family.experts().all().stream().noneMatch(name -> name.contains("{e}"));
    }

    private static boolean isTrue(Setting setting) {
        return "true".equals(setting.defaultValue());
    }

    private void addKeys() {
        ObjectNode config = checkpoint.config;
        put(family.k(), 2);
        if (family.groups() != null) {
            put(family.groups().nGroup(), 2);
            put(family.groups().topkGroup(), 1);
        }
        if (family.identityExperts() != null) {
            put(family.identityExperts(), IDENTITY_EXPERTS);
        }
        if (family.firstNorm() != null) {
            config.putArray("layer_types").add("linear_attention");
            put(family.firstNormScale().get("linear_attention"), 2);
        }
    }

    private void put(Setting setting, int value) {
        if (!setting.keys().isEmpty()) {
            set(checkpoint.config, setting.keys().get(0), value);
        }
    }

    private static void set(ObjectNode config, String key, int value) {
        String[] path = key.split("\\.");
        ObjectNode object = config;
        for (int i = 0; i < path.length - 1; i++) {
            object = object.withObjectProperty(path[i]);
        }
        object.put(path[path.length - 1], value);
    }

    private void addGate() {
        int rows = N + (family.identityExperts() == null ? 0 : IDENTITY_EXPERTS);
        add(family.router(), ".weight", rows, WIDTH);
        if (isTrue(family.routerBias())) {
            add(family.router(), ".bias", rows);
        }
        add(family.routerNorm(), "", WIDTH);
        add(family.correctionBias(), "", rows);
        add(family.perExpertScale(), "", rows);
    }

    private void addNorms() {
        add(family.norm(), ".weight", WIDTH);
        if (family.normForm() == Family.NormForm.LAYER) {
            add(family.norm(), ".bias", WIDTH);
        }
        add(family.firstNorm(), ".weight", WIDTH);
        add(family.postNorm(), ".weight", WIDTH);
        add(family.routedNorm(), ".weight", WIDTH);
        if (family.normGate() != null) {
            add(family.normGate().get(0), ".weight", 2, WIDTH);
            add(family.normGate().get(1), ".weight", WIDTH, 2);
        }
    }

    private void addOthers() {
        add(family.constant(), "", WIDTH);
        add(family.layerScale(), "", 1);
        add(family.sharedGate(), ".weight", 1, WIDTH);
        if (family.shared() != null) {
            addNetwork(name(family.shared()), WIDTH);
        }
        if (family.latent() != null) {
            add(family.latent().down(), ".weight", LATENT, WIDTH);
            add(family.latent().up(), ".weight", WIDTH, LATENT);
        }
        List<Family.Branch> branches = family.branches() == null ? List.of() : family.branches();
        branches.forEach(this::addBranch);
    }

    private void addBranch(Family.Branch branch) {
        add(branch.norm(), ".weight", WIDTH);
        add(branch.postNorm(), ".weight", WIDTH);
        addNetwork(name(branch.network()), WIDTH);
        if (branch.tail() != null) {
            addBranch(branch.tail());
        }
    }

    private void addExperts(Experts form) {
        int d = family.latent() == null ? WIDTH : LATENT;
        String experts = name(family.experts());
        for (int e = 0; e < N; e++) {
            String number = Integer.toString(e);
            addNetwork(
                    experts.contains("{e}")
                            ? experts.replace("{e}", number)
                            : experts + "." + number,
                    d);
        }
        if (form != Experts.SEPARATE) {
            checkpoint.fuse(
                    experts,
                    matrices(),
                    form == Experts.TRANSPOSED,
                    biased,
                    family.network().interleaved());
        }
    }

    private List<String> matrices() {
        boolean isPlain = family.network().form() == NetworkForm.PLAIN;
        List<String> gated =
                family.network().matrices() == null
                        ? List.of("gate_proj", "up_proj", "down_proj")
                        : family.network().matrices();
        return isPlain ? List.of("up_proj", "down_proj") : gated;
    }

    private void addNetwork(String name, int d) {
        List<String> matrices = matrices();
        for (int i = 0; i < matrices.size(); i++) {
            boolean isLast = i == matrices.size() - 1;
            int out = isLast ? d : INNER;
            addTensor(name + "." + matrices.get(i) + ".weight", out, isLast ? INNER : d);
            if (biased) {
                addTensor(name + "." + matrices.get(i) + ".bias", out);
            }
        }
    }

    private void add(Names names, String suffix, int... shape) {
        if (names != null) {
            addTensor(name(names) + suffix, shape);
        }
    }

    private String name(Names names) {
        return layer + names.all().get(Math.min(alternative, names.all().size() - 1));
    }

    private void addTensor(String name, int... shape) {
        long[] dimensions = new long[shape.length];
        int size = 1;
        for (int i = 0; i < shape.length; i++) {
            dimensions[i] = shape[i];
            size *= shape[i];
        }
        float[] data = new float[size];
        for (int i = 0; i < size; i++) {
            data[i] = random.nextFloat() - 0.5f;
        }
        checkpoint.add(name, data, dimensions);
    }
}
