// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.flink.annotation.Internal;

/**
 * Where a family keeps a stack of layers: {@code model.} + {@code layers.3} + {@code
 * .mlp.gate.weight}. Models that contain the family's model, and programs that wrap it, put another
 * root before the layers: none, {@code language_model.model.}, {@code model.language_model.}. The
 * root is the one under which there are routers.
 *
 * @param root the published root, used if the checkpoint has no such layer
 * @param layer the name of a layer, with %d for its number
 * @param routers the endings that the name of a router can have after that of its layer
 */
@Internal
record LayerStack(String root, String layer, List<String> routers) {

    /** Parts of a larger model that are not its stack of decoder layers. */
    private static final Pattern OTHER_PARTS =
            Pattern.compile("(.*[._])?(mtp|vision|visual|audio|talker)[_.].*");

    /**
     * The roots of the stack in a checkpoint. Empty if there are no such layers, or if there are no
     * routers and several stacks.
     */
    Set<String> roots(Collection<String> tensors) {
        Set<String> roots = roots(tensors, anyOf(routers));
        if (!roots.isEmpty()) {
            Set<String> main = new TreeSet<>(roots);
            main.removeIf(root -> OTHER_PARTS.matcher(root).matches());
            return main.isEmpty() ? roots : main;
        }
        Set<String> withoutRouter = roots(tensors, "\\..+");
        return withoutRouter.size() == 1 ? withoutRouter : Set.of();
    }

    private Set<String> roots(Collection<String> tensors, String ending) {
        String[] parts = layer.split("%d", -1);
        Pattern pattern =
                Pattern.compile(
                        "((?:.*\\.)?)%s\\d+%s%s"
                                .formatted(
                                        Pattern.quote(parts[0]), Pattern.quote(parts[1]), ending));
        Set<String> roots = new TreeSet<>();
        for (String tensor : tensors) {
            Matcher matcher = pattern.matcher(tensor);
            if (matcher.matches()) {
                roots.add(matcher.group(1));
            }
        }
        return roots;
    }

    private static String anyOf(List<String> endings) {
        return endings.stream().map(Pattern::quote).collect(Collectors.joining("|", "(?:", ")"));
    }
}
