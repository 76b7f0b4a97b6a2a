// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.scoring.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.column.ColumnType;
import io.flinkmoe.column.InputLayout;
import io.flinkmoe.column.InputSpec;
import io.flinkmoe.kafka.record.RecordBinding;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;

class RecordBindingsTest {

    private static final InputLayout INPUTS =
            new InputLayout(
                    List.of(
                            new InputSpec("numeric", ColumnType.FLOAT, 2),
                            new InputSpec("country", ColumnType.STRING, null),
                            new InputSpec("input.1", ColumnType.FLOAT, null),
                            new InputSpec("amount.field", ColumnType.FLOAT, null)),
                    List.of());

    @Test
    void bindsInputsByNameAlsoThoseWithDots() throws Exception {
        RecordBinding expected =
                RecordBinding.ofStream("key")
                        .timestamp("at")
                        .position("n")
                        .feature("numeric", "a", "geo.distance")
                        .featureOr("country", "??", "geo.country")
                        .featureOr("input.1", "0", "input.1")
                        .feature("amount.field", "price");

        assertSame(
                of(
                        "at",
                        "n",
                        Map.of(
                                "numeric", "a;geo.distance",
                                "country.field", "geo.country",
                                "country.missing", "??",
                                "input.1.missing", "0",
                                "amount.field", "price")),
                expected);
    }

    @Test
    void refusesWhatIsNoInput() {
        assertRefused(
                Map.of("country.field", "c", "contry", "c", "numeric.missing.field", "c"),
                "moe.record: features.contry, features.numeric.missing.field: no input of the model has this name; its inputs are numeric: float[2], country: string, input.1: float, amount.field: float, and each may also have .field and .missing");
        assertRefused(
                Map.of("country", "a", "country.field", "b", "contry", "c", "numeric", "a;"),
                "moe.record: features.country and features.country.field are both set; allowed: one of them; features.contry: no input of the model has this name; its inputs are numeric: float[2], country: string, input.1: float, amount.field: float, and each may also have .field and .missing; the path '' has an empty name; allowed: names separated by dots, such as geo.country");
        assertRefused(
                Map.of("country", "a", "country.field", "b"),
                "moe.record: features.country and features.country.field are both set; allowed: one of them");
        assertRefused(
                Map.of("numeric", "a;b", "numeric.missing", "0"),
                "moe.record: features.numeric.missing is '0', and it has 2 fields; allowed with missing: one field");
        assertRefused(
                Map.of("numeric", "a;"),
                "moe.record: the path '' has an empty name; allowed: names separated by dots, such as geo.country");
    }

    private static void assertRefused(Map<String, String> features, String message) {
        assertThatThrownBy(() -> of(null, null, features))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessage(message);
    }

    private static RecordBinding of(String time, String position, Map<String, String> features) {
        Map<String, String> options = new HashMap<>();
        options.put("moe.record.stream", "key");
        features.forEach((name, value) -> options.put("moe.record.features." + name, value));
        Configuration configuration = Configuration.fromMap(options);
        if (time != null) {
            configuration.set(RecordOptions.TIMESTAMP_FIELD, time);
            configuration.set(RecordOptions.POSITION, position);
        }
        return RecordBindings.of(configuration, INPUTS);
    }

    /** A binding has no equals. */
    private static void assertSame(RecordBinding binding, RecordBinding expected) throws Exception {
        assertThat(InstantiationUtil.serializeObject(binding))
                .isEqualTo(InstantiationUtil.serializeObject(expected));
    }
}
