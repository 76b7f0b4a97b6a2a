// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.score;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.flinkmoe.capacity.Outcome;
import io.flinkmoe.column.OutputSpec;
import io.flinkmoe.model.Bundle;
import io.flinkmoe.reference.LayerResult;
import io.flinkmoe.reference.ReferenceModel;
import io.flinkmoe.tools.flights.FlightsBundle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.apache.avro.generic.GenericRecord;

/** An oracle: what the flights model answers for {@link Payments}, without Flink and Kafka. */
final class FlightsReference {

    private final int records;
    private final ReferenceModel.Result result;

    /**
     * @param records how many payments, from 0 on
     */
    FlightsReference(Path bundle, int records) throws Exception {
        Bundle model = Bundle.read(bundle);
        this.records = records;
        int width = model.spec().inputSize();
        float[] x = new float[records * width];
        for (int n = 0; n < records; n++) {
            System.arraycopy(FlightsBundle.features(new Random(n)), 0, x, n * width, width);
        }
        try (ReferenceModel reference = ReferenceModel.open(model)) {
            result = reference.forward(x, records);
        }
    }

    /** A choice as answers have it. */
    record Choice(int layer, String gate, String expert, float weight, String outcome) {}

    /** What answers have of the model: its only output, with one value, and the choices. */
    record Scored(float output, List<Choice> choices) {

        /** The name of the output. */
        static final String OUTPUT = OutputSpec.DEFAULT_NAME;

        static Scored ofAvro(GenericRecord answer) {
            List<Choice> choices = new ArrayList<>();
            for (Object one : (List<?>) answer.get("choices")) {
                GenericRecord choice = (GenericRecord) one;
                choices.add(
                        new Choice(
                                (Integer) choice.get("layer"),
                                String.valueOf(choice.get("gate")),
                                String.valueOf(choice.get("expert")),
                                (Float) choice.get("weight"),
                                String.valueOf(choice.get("outcome"))));
            }
            return new Scored(outputOf(answer), choices);
        }

        /** The output of an answer in Avro, as a float or double. */
        static float outputOf(GenericRecord answer) {
            List<?> values = (List<?>) answer.get(OUTPUT);
            assertThat(values).hasSize(1);
            return ((Number) values.get(0)).floatValue();
        }

        static Scored ofJson(JsonNode answer) {
            List<Choice> choices = new ArrayList<>();
            for (JsonNode choice : answer.path("choices")) {
                choices.add(
                        new Choice(
                                choice.path("layer").asInt(),
                                choice.path("gate").asText(),
                                choice.path("expert").asText(),
                                choice.path("weight").floatValue(),
                                choice.path("outcome").asText()));
            }
            return new Scored(outputOf(answer), choices);
        }

        static float outputOf(JsonNode answer) {
            assertThat(answer.path(OUTPUT)).hasSize(1);
            return answer.path(OUTPUT).path(0).floatValue();
        }
    }

    /** What the model answers for a payment. */
    Scored scored(int n) {
        LayerResult layer = result.layers().get(0);
        assertThat(layer.experts()).hasSize(2 * records);
        List<Choice> choices = new ArrayList<>();
        for (int i = 2 * n; i < 2 * n + 2; i++) {
            assertThat(layer.outcomes()[i]).isEqualTo(Outcome.EXECUTED.code());
            // Neither the gate nor the experts have names.
            String expert = String.valueOf(layer.experts()[i]);
            choices.add(new Choice(0, "0", expert, layer.weights()[i], "EXECUTED"));
        }
        return new Scored(output(n), choices);
    }

    /** The output for a payment. */
    float output(int n) {
        assertThat(result.out()).hasSize(records);
        return result.out()[n];
    }
}
