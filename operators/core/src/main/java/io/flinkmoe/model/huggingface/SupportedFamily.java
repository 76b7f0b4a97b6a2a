// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.model.huggingface;

import java.util.List;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A family of models that can be imported, for people.
 *
 * @param modelTypes the values of {@code model_type} in config.json
 * @param models the published models
 * @param note what is particular; empty for nothing
 * @param refused why the family cannot be imported; empty if it can
 */
@PublicEvolving
public record SupportedFamily(List<String> modelTypes, String models, String note, String refused) {

    static List<SupportedFamily> all() {
        return Families.get().all().stream()
                .map(
                        family ->
                                new SupportedFamily(
                                        family.modelTypes(),
                                        family.models(),
                                        family.note() == null ? "" : family.note(),
                                        family.refused() == null ? "" : family.refused()))
                .toList();
    }
}
