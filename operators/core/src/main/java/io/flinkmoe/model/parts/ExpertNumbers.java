// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.parts;

import io.flinkmoe.model.BundleException;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.annotation.Internal;

/**
 * How the experts of a state dict are numbered. A name such as {@code experts.{e}.0} stands for as
 * many linear layers as there are; numbers begin with 0 or 1 and may have leading zeros.
 *
 * @param texts the numbers as they are written, in ascending order
 */
@Internal
record ExpertNumbers(List<String> texts) {

    /** Stands for the number of an expert in the name of a linear layer. */
    private static final String EXPERT = "{e}";

    private static final String WEIGHT = ".weight";

    /** Whether a name stands for the layers of several experts. */
    static boolean areIn(String name) {
        return name.contains(EXPERT);
    }

    /** The name for one expert. */
    static String in(String name, String number) {
        return name.replace(EXPERT, number);
    }

    /**
     * Finds the numbers.
     *
     * @param name the name of the first linear layer of an expert
     * @throws BundleException if none is there, or if there is a gap
     */
    static ExpertNumbers find(StateDict dict, String name) throws BundleException {
        String[] around = (name + WEIGHT).split(Pattern.quote(EXPERT), -1);
        StringBuilder regex = new StringBuilder(Pattern.quote(around[0]) + "(\\d{1,9})");
        for (int i = 1; i < around.length; i++) {
            regex.append(i == 1 ? "" : "\\1").append(Pattern.quote(around[i]));
        }
        Pattern pattern = Pattern.compile(regex.toString());
        TreeMap<Integer, String> found = new TreeMap<>();
        for (String tensor : dict.names()) {
            Matcher matcher = pattern.matcher(tensor);
            if (matcher.matches()) {
                found.put(Integer.valueOf(matcher.group(1)), matcher.group(1));
            }
        }
        if (found.isEmpty()) {
            throw dict.missing(in(name, "0") + WEIGHT);
        }
        int first = found.firstKey() == 1 ? 1 : 0;
        for (int i = first; i <= found.lastKey(); i++) {
            if (!found.containsKey(i)) {
                throw new BundleException(
                        dict.path(),
                        "there is %s, but not %s; experts must be numbered without a gap, from 0 or 1"
                                .formatted(
                                        in(name, found.get(found.higherKey(i))) + WEIGHT,
                                        in(name, String.valueOf(i)) + WEIGHT));
            }
        }
        return new ExpertNumbers(new ArrayList<>(found.values()));
    }
}
