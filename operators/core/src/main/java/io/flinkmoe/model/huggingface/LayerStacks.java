// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;

/**
 * Finds the MoE layers of a checkpoint: those that have a router, or experts. Models that contain
 * the family's model, and programs that wrap it, put another root before the layers: {@code
 * model.layers.3}, {@code language_model.model.layers.3}. The root is the one under which there are
 * routers. Layers that predict further tokens are left out: those of a root {@code mtp}, and those
 * beyond the number of layers in config.json.
 */
@Internal
final class LayerStacks {

    private static final int MAX_LAYERS = 10_000;

    /** Parts of a larger model that are not its stack of decoder layers. */
    private static final Pattern OTHER_PARTS =
            Pattern.compile("(.*[._])?(mtp|vision|visual|audio|talker)[_.].*");

    /**
     * An MoE layer.
     *
     * @param name the name that its tensors begin with, before a dot
     * @param number its number in the model
     */
    record MoeLayer(String name, int number) {}

    private final Checkpoint checkpoint;
    private final Family family;

    LayerStacks(Checkpoint checkpoint, Family family) {
        this.checkpoint = checkpoint;
        this.family = family;
    }

    /** The layers in order; those of an encoder precede those of a decoder. */
    List<MoeLayer> layers() throws CheckpointException {
        List<MoeLayer> layers = new ArrayList<>();
        for (Map.Entry<String, Setting> stack : family.stacks().entrySet()) {
            layers.addAll(layers(stack.getKey(), count(stack.getValue())));
        }
        return layers;
    }

    /** The number of layers that config.json states; the largest if it states none. */
    private int count(Setting key) throws CheckpointException {
        CheckpointConfig config = checkpoint.config();
        if (!key.isSet(config)) {
            return MAX_LAYERS;
        }
        int count = config.count(key.key(config), 0);
        if (count > MAX_LAYERS) {
            throw config.invalid(key.key(config), "at most " + MAX_LAYERS);
        }
        return count;
    }

    private List<MoeLayer> layers(String stack, int count) throws CheckpointException {
        Map<String, Set<Integer>> byRoot = new TreeMap<>(); // of layers with a router
        Map<String, Set<Integer>> withExperts = new TreeMap<>();
        Map<String, Integer> last = new TreeMap<>();
        String[] parts = stack.split("%d", -1);
        Pattern name =
                Pattern.compile(
                        "((?:.*\\.)?)%s(\\d{1,6})%s\\.(.+)"
                                .formatted(Pattern.quote(parts[0]), Pattern.quote(parts[1])));
        for (String tensor : checkpoint.names().all()) {
            Matcher matcher = name.matcher(tensor);
            if (matcher.matches()) {
                int layer = Integer.parseInt(matcher.group(2));
                String root = matcher.group(1);
                last.merge(root, layer, Math::max);
                if (isRouter(matcher.group(3))) {
                    byRoot.computeIfAbsent(root, r -> new TreeSet<>()).add(layer);
                } else if (isOfExperts(matcher.group(3))) {
                    withExperts.computeIfAbsent(root, r -> new TreeSet<>()).add(layer);
                }
            }
        }
        String root = root(stack, (byRoot.isEmpty() ? withExperts : byRoot).keySet());
        if (root == null) {
            return List.of();
        }
        Set<Integer> numbers = new TreeSet<>(byRoot.getOrDefault(root, Set.of()));
        numbers.addAll(withExperts.getOrDefault(root, Set.of()));
        if (count < MAX_LAYERS && last.get(root) < count - 1) {
            String layer = root + stack.formatted(count - 1);
            throw checkpoint
                    .config()
                    .invalid(
                            "there is no tensor of the last layer, %s; complete the download"
                                    .formatted(layer));
        }
        return numbers.stream()
                .filter(number -> number < count)
                .map(number -> new MoeLayer(root + stack.formatted(number), number))
                .toList();
    }

    private boolean isRouter(String tensor) {
        return family.router().all().stream().anyMatch(name -> tensor.equals(name + ".weight"));
    }

    private boolean isOfExperts(String tensor) {
        for (String name : family.experts().all()) {
            // A name without experts is that of a dense network, too.
            String beginning =
                    !name.contains("experts")
                            ? name + ".input_linear"
                            : name.contains("{e}") ? name.replace("{e}", "") : name + ".";
            if (tensor.startsWith(beginning)) {
                return true;
            }
        }
        return false;
    }

    private String root(String stack, Set<String> roots) throws CheckpointException {
        Set<String> main = new TreeSet<>(roots);
        main.removeIf(root -> OTHER_PARTS.matcher(root).matches());
        main = main.isEmpty() ? roots : main;
        if (main.size() > 1) {
            throw new CheckpointException(
                    checkpoint.directory(),
                    "it contains several models, whose layers are %s; keep the tensors of one of them"
                            .formatted(
                                    main.stream()
                                            .map(root -> root + stack.replace("%d", "*"))
                                            .collect(Collectors.joining(" and "))));
        }
        return main.stream().findFirst().orElse(null);
    }
}
