// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.flinkmoe.capacity.CapacityFormula;
import io.flinkmoe.tensor.SafetensorsWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Capacities computed by hand from what the rule of a case says, for T tokens and N experts. */
class CapacityTextTest {

    @TempDir private Path folder;

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                // 48·2·0.55/8 = 6.6
                "ceil(S*k*cf/E) rounded up to a multiple of 4 | 0.55 | 48 | 2 | 8 | 8",
                "ceil(S*k*cf/E) rounded up to a multiple of 3 | 0.55 | 48 | 2 | 8 | 9",
                "ceil(S*k*cf/E) rounded up to a multiple of None | 0.55 | 48 | 2 | 8 | 7",
                "ceil(S*k*cf/E), a multiple of none | 0.55 | 48 | 2 | 8 | 7",
                "ceil(S*k*cf/E), not rounded up to a multiple of 4 | 0.55 | 48 | 2 | 8 | 7",
                "ceil(S*k*cf/E) | 0.55 | 48 | 2 | 8 | 7",
                // 20·1·0.9/8 = 2.25, and 2.5 to the even neighbour
                "round(S*k*cf/E) | 0.9 | 20 | 1 | 8 | 2",
                "round(S*k*cf/E) | 1.0 | 20 | 1 | 8 | 2",
                "round(S*k*cf/E), at least 3 | 1.0 | 20 | 1 | 8 | 3",
                // 24·1.25/8 = 3.75
                "max(min(S, trunc(S*cf/E)), min_capacity) per group | 1.25 | 24 | 2 | 8 | 3",
                "max(min(S, trunc(S*cf/E)), min_capacity) per group | 9.0 | 24 | 2 | 8 | 24",
                "max(round_half_even(cf*S/E), min_capacity); NOT multiplied by k | 1.25 | 24 | 2 | 8 | 4",
                "trunc(S*cf/E), 0 becomes 4, then rounded UP to a multiple of 4 | 0.1 | 24 | 2 | 8 | 4",
                "trunc(S*cf/E), 0 becomes 4, then rounded UP to a multiple of 4 | 2.0 | 24 | 2 | 8 | 8",
                // (50/4)·1.2 = 15 in float64, and a little more in float32
                "ceil(float32(T/E)*cf), at least min_capacity | 1.2 | 50 | 1 | 4 | 16",
                "ceil(float32(T/E)*(2*cf)), at least min_capacity | 0.6 | 50 | 2 | 4 | 16",
                // 2·0.6·32/8 = 4.8
                "c = floor(2*cf*T/E); odd c becomes c+1; at least 4 | 0.6 | 32 | 2 | 8 | 4",
                "c = floor(2*cf*T/E); odd c becomes c+1; at least 4 | 0.7 | 32 | 2 | 8 | 6",
                "max(round_half_even(c*T/E), 1) | 0.1 | 32 | 8 | 8 | 1",
                "2*ceil(T/E) | 1.0 | 30 | 2 | 8 | 8",
                "ceil(fraction*T) | 1.0 | 32 | 2 | 8 | 7",
            })
    void readsWhatTheRuleSays(String rule, double cf, int tokens, int k, int n, int expected)
            throws Exception {
        CapacityFormula formula = new CapacityText(golden(rule, cf), k).formula();
        assertThat(formula.capacity(tokens, n, k)).isEqualTo(expected);
    }

    @Test
    void refusesWhatItDoesNotUnderstand() throws Exception {
        for (String rule : new String[] {"as much as there is", "ceil(3*cf*T/E)"}) {
            CapacityText text = new CapacityText(golden(rule, 1), 2);
            assertThatThrownBy(text::formula).hasMessageContaining("which is not understood");
        }
    }

    @Test
    void understandsTheRuleOfEveryOwnCase() throws Exception {
        for (GoldenCase golden : GoldenCases.in(GoldenCases.OWN)) {
            if (golden.has("capacity_rule") && golden.has("capacity_factor")) {
                assertThat(new CapacityRule(golden).capacity()).as("%s", golden).isNotNull();
            }
        }
    }

    private GoldenCase golden(String rule, double cf) throws IOException {
        Path directory = Files.createTempDirectory(folder, "case");
        Files.writeString(
                directory.resolve("case.json"),
                """
                {"system": "toy", "config": {"capacity_rule": "%s", "capacity_factor": %s,
                  "min_capacity": 2, "eval_capacity_token_fraction": 0.2}}
                """
                        .formatted(rule, cf));
        new SafetensorsWriter()
                .add("x", new long[] {1}, new float[1])
                .writeTo(directory.resolve("tensors.safetensors"));
        return GoldenCase.open(directory);
    }
}
