// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.apache.flink.annotation.Internal;

/**
 * The names of a checkpoint's tensors, without the parts that {@code torch.compile} and distributed
 * training put into them.
 */
@Internal
final class TensorNames {
    private static final Pattern WRAPPERS =
            Pattern.compile(
                    "(?<![^.])(_orig_mod|_fsdp_wrapped_module|_fpw_module|_checkpoint_wrapped_module"
                            + "|_forward_module|module)\\.");

    private final TreeMap<String, String> storedNames = new TreeMap<>();
    private final Map<String, String> second = new HashMap<>();

    TensorNames(Collection<String> stored) {
        for (String name : stored) {
            String plain = WRAPPERS.matcher(name).replaceAll("");
            String other = storedNames.putIfAbsent(plain, name);
            if (other != null) {
                second.put(plain, name);
            }
        }
    }

    /** All names, without wrappers. */
    Collection<String> all() {
        return storedNames.keySet();
    }

    boolean contains(String name) {
        return storedNames.containsKey(name);
    }

    /** The name that a tensor has in the files, or null if there is no such tensor. */
    String stored(String name) {
        return storedNames.get(name);
    }

    /** Another stored name of the same tensor, or null if there is only one. */
    String second(String name) {
        return second.get(name);
    }

    /** The names that begin with a prefix. */
    Collection<String> startingWith(String prefix) {
        return storedNames.subMap(prefix, prefix + Character.MAX_VALUE).keySet();
    }

    /** The three names with the longest prefix and suffix in common with the given one. */
    List<String> mostSimilar(String tensor) {
        Comparator<String> bySimilarity = Comparator.comparingInt(name -> similarity(name, tensor));
        return all().stream().sorted(bySimilarity.reversed()).limit(3).toList();
    }

    private static int similarity(String a, String b) {
        int shorter = Math.min(a.length(), b.length());
        int begin = 0;
        while (begin < shorter && a.charAt(begin) == b.charAt(begin)) {
            begin++;
        }
        int end = 0;
        while (end < shorter - begin
                && a.charAt(a.length() - 1 - end) == b.charAt(b.length() - 1 - end)) {
            end++;
        }
        return begin + end;
    }
}
