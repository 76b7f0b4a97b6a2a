// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.flink.annotation.Internal;

/**
 * Finds tensors in the feed-forward half of an MoE layer that no part of the layer uses: a
 * correction bias under an unexpected name would change the answer unnoticed. Other tensors of the
 * layer belong to its other half and are ignored.
 */
@Internal
final class UnusedTensors {

    /** Beginnings of names that belong to the feed-forward half in any family. */
    private static final Pattern HALF =
            Pattern.compile(".*(mlp|ffn|feed_?forward|moe|experts?|router).*");

    private static final Pattern EXPERT = Pattern.compile("\\.(?:expert_)?(\\d{1,9})\\.");

    private final Checkpoint checkpoint;
    private final Family family;

    UnusedTensors(Checkpoint checkpoint, Family family) {
        this.checkpoint = checkpoint;
        this.family = family;
    }

    /**
     * Checks a layer, all of whose parts were found.
     *
     * @param experts the number of experts with a model; tensors of identity experts are idle
     * @throws CheckpointException if there is such a tensor
     */
    void check(String layer, int experts) throws CheckpointException {
        Set<String> halves = halves();
        for (String tensor : checkpoint.names().startingWith(layer + ".")) {
            String name = tensor.substring(layer.length() + 1);
            String half = name.split("\\.", 2)[0];
            boolean belongs = halves.contains(half) || HALF.matcher(half).matches();
            if (belongs && !checkpoint.isUsed(tensor) && !isIgnored(name, experts)) {
                throw new CheckpointException(
                        checkpoint.pathOf(tensor),
                        "there is a tensor %s, but no part of a layer of %s uses it; the bundle would answer differently: remove it if it has no effect"
                                .formatted(tensor, family.modelTypes().get(0)));
            }
        }
    }

    /** The beginnings of the names of the family's parts. */
    private Set<String> halves() {
        Set<String> halves = new HashSet<>();
        Stream.of(
                        family.router(),
                        family.experts(),
                        family.shared(),
                        family.correctionBias(),
                        family.perExpertScale())
                .filter(Objects::nonNull)
                .flatMap(names -> names.all().stream())
                .forEach(name -> halves.add(name.split("\\.", 2)[0]));
        return halves;
    }

    private boolean isIgnored(String name, int experts) {
        List<String> ignored = family.ignored() == null ? List.of() : family.ignored();
        if (ignored.stream().anyMatch(name::startsWith)) {
            return true;
        }
        Matcher matcher = EXPERT.matcher(name);
        return family.identityExperts() != null
                && matcher.find()
                && Integer.parseInt(matcher.group(1)) >= experts;
    }
}
