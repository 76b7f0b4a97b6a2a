// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.record;

import io.flinkmoe.api.LayerNames;
import io.flinkmoe.column.Column;
import io.flinkmoe.column.ColumnLayout;
import io.flinkmoe.kafka.decode.FieldPath;
import io.flinkmoe.kafka.decode.KeptFields;
import java.io.Serializable;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.flink.annotation.PublicEvolving;

/**
 * What the answers to records have: the fields that are kept of the record, the outputs of the
 * model under their names, {@code model_version} and, on request, {@code choices}. An answer is one
 * flat record: a kept field of a record within is there under its last name. It is immutable: each
 * method returns other fields.
 *
 * <p>Give it to the deserializer, which keeps the fields, and to the serializer of the answers.
 */
@PublicEvolving
public final class AnswerFields implements Serializable {

    private static final long serialVersionUID = 1L;

    static final String MODEL_VERSION = "model_version";
    static final String CHOICES = "choices";

    private final ColumnLayout outputs;
    private final KeptFields.Kept kept;
    private final List<String> keptHeaders;
    private final Choices choices;

    private AnswerFields(
            ColumnLayout outputs, KeptFields.Kept kept, List<String> keptHeaders, Choices choices) {
        this.outputs = outputs;
        this.kept = kept;
        this.keptHeaders = keptHeaders;
        this.choices = choices;
        for (Column output : outputs.columns()) {
            if (ownNames().contains(output.name())) {
                throw new IllegalArgumentException(
                        "the output %s of the model has the name of another field of the answer; allowed: other names than %s"
                                .formatted(output.name(), String.join(" and ", ownNames())));
            }
        }
        kept(); // Refuses names that are taken.
    }

    /**
     * Answers with the outputs of a model, and with nothing of the records.
     *
     * @throws IllegalArgumentException if an output has the name {@code model_version}
     */
    public static AnswerFields of(ColumnLayout outputs) {
        return new AnswerFields(
                outputs, new KeptFields.Some(List.of()), List.of(), new Choices(false, List.of()));
    }

    /**
     * Keeps fields.
     *
     * @param fields paths, such as {@code geo.country}
     * @throws IllegalArgumentException if a name would be there twice
     */
    public AnswerFields keep(String... fields) {
        List<FieldPath> paths = Arrays.stream(fields).map(FieldPath::of).toList();
        if (paths.stream().map(FieldPath::last).distinct().count() < paths.size()) {
            throw new IllegalArgumentException(
                    "of the kept fields %s, two would have one name in the answer"
                            .formatted(paths));
        }
        return new AnswerFields(outputs, new KeptFields.Some(paths), keptHeaders, choices);
    }

    /**
     * Keeps all fields, records within as they are. A record in JSON with a field whose name is
     * that of an output, {@code model_version} or {@code choices} is a dead letter.
     */
    public AnswerFields keepAll() {
        return new AnswerFields(outputs, new KeptFields.All(), keptHeaders, choices);
    }

    /** Keeps headers: the answer has them, too. */
    public AnswerFields keepHeaders(String... names) {
        return new AnswerFields(outputs, kept, List.of(names), choices);
    }

    /**
     * Adds {@code choices}: each choice of each layer, with its expert, weight and outcome.
     *
     * @param layers what gates and experts are called
     * @throws IllegalArgumentException if another field has the name {@code choices}
     */
    public AnswerFields choices(List<LayerNames> layers) {
        return new AnswerFields(outputs, kept, keptHeaders, new Choices(true, layers));
    }

    /** The names of the fields that are not kept ones, in order. */
    private Set<String> names() {
        Set<String> names =
                outputs.columns().stream()
                        .map(Column::name)
                        .collect(Collectors.toCollection(LinkedHashSet::new));
        names.addAll(ownNames());
        return names;
    }

    private List<String> ownNames() {
        return choices.areWanted() ? List.of(MODEL_VERSION, CHOICES) : List.of(MODEL_VERSION);
    }

    /** Whether nothing of a record is kept. */
    boolean keepNothing() {
        return keptHeaders.isEmpty() && kept.equals(new KeptFields.Some(List.of()));
    }

    KeptFields kept() {
        return new KeptFields(kept, names());
    }

    List<String> keptHeaders() {
        return keptHeaders;
    }

    ColumnLayout outputs() {
        return outputs;
    }

    Choices choices() {
        return choices;
    }
}
