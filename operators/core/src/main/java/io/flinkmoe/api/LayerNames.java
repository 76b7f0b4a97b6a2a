// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.api;

import io.flinkmoe.model.LayerSpec;
import java.io.Serializable;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;

/**
 * What the parts of a layer are called in reports and answers.
 *
 * @param gates the names of the gates, in order; the number of a gate that has no name
 * @param experts the names of the experts, in order; the number of an expert that has no name
 */
@PublicEvolving
public record LayerNames(List<String> gates, List<String> experts) implements Serializable {

    private static final long serialVersionUID = 1L;

    public LayerNames {
        gates = List.copyOf(gates);
        experts = List.copyOf(experts);
    }

    /** The names in a layer of a model. */
    @Internal
    public static LayerNames of(LayerSpec layer) {
        return new LayerNames(layer.gateNames(), layer.expertNames());
    }

    /** The name of a gate; the number of one that is not there. */
    public String gate(int number) {
        return name(gates, number);
    }

    /** The name of an expert; the number of one that is not there. */
    public String expert(int number) {
        return name(experts, number);
    }

    private static String name(List<String> names, int number) {
        return number >= 0 && number < names.size() ? names.get(number) : String.valueOf(number);
    }
}
