// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class CapacityFormulaTest {

    private static Arguments row(CapacityFormula formula, int t, int n, int k, int capacity) {
        return Arguments.of(formula, t, n, k, capacity);
    }

    /** T, N, k and C, each worked out by hand from the published expression. */
    static Stream<Arguments> published() {
        return Stream.of(
                row(CapacityFormula.fixed(5), 100, 4, 2, 5),
                row(CapacityFormula.fixed(0), 100, 4, 2, 0),
                row(CapacityFormula.switchMesh(1.25, 2), 24, 8, 2, 3),
                row(CapacityFormula.switchMesh(100, 0), 2, 8, 1, 2),
                row(CapacityFormula.switchMesh(100, 4), 2, 8, 1, 4),
                row(CapacityFormula.tokensChoose(1, 2), 20, 8, 3, 2),
                row(CapacityFormula.tokensChoose(1, 2), 28, 8, 3, 4),
                row(CapacityFormula.gshard(1), 4, 8, 2, 4),
                row(CapacityFormula.gshard(1), 40, 8, 2, 8),
                row(CapacityFormula.gshard(1), 32, 8, 2, 4),
                row(CapacityFormula.vmoe(0.5), 48, 8, 2, 8),
                row(CapacityFormula.deepspeed(1, 4), 32, 8, 2, 8),
                row(CapacityFormula.deepspeed(1, 4), 8, 8, 1, 4),
                row(CapacityFormula.megatron(1), 10, 8, 2, 3),
                row(CapacityFormula.megablocks(1), 10, 8, 2, 2),
                row(CapacityFormula.tutel(1.5, 1), 10, 4, 2, 8),
                row(CapacityFormula.tutel(1.5, 5), 10, 4, 2, 10),
                row(CapacityFormula.fastMoeGshard(1.2), 11, 4, 2, 7),
                row(CapacityFormula.fastMoeSwitch(1.2), 11, 4, 1, 4),
                row(CapacityFormula.nllbTrain(), 30, 8, 2, 8),
                row(CapacityFormula.nllbEval(0.25), 30, 8, 2, 8),
                row(CapacityFormula.nllbEval(1), 30, 8, 2, 30),
                row(CapacityFormula.fairseqTop1(1.5), 10, 4, 1, 4),
                row(CapacityFormula.openMoe(1), 20, 8, 2, 6),
                row(CapacityFormula.openMoe(1), 4, 8, 2, 4),
                row(CapacityFormula.expertChoice(0.8), 32, 8, 1, 3),
                row(CapacityFormula.expertChoice(0.8), 1, 8, 1, 1),
                row(CapacityFormula.base(), 24, 8, 1, 3));
    }

    @ParameterizedTest
    @MethodSource("published")
    void computesAsPublished(CapacityFormula formula, int t, int n, int k, int capacity) {
        assertThat(formula.capacity(t, n, k)).isEqualTo(capacity);
    }

    @ParameterizedTest
    @CsvSource({"1.0, 20, 8, 2", "1.0, 28, 8, 4", "0.01, 20, 8, 1", "2.0, 32, 8, 8"})
    void expertChoiceRoundsHalvesToTheEvenNumber(
            double factor, int tokens, int experts, int capacity) {
        assertThat(CapacityFormula.expertChoice(factor).capacity(tokens, experts, 1))
                .isEqualTo(capacity);
    }

    @Test
    void float32RoundsUpWhereFloat64IsExact() {
        assertThat(CapacityFormula.deepspeed(1.2, 4).capacity(50, 4, 1)).isEqualTo(16);
        assertThat(CapacityFormula.megatron(1.2).capacity(50, 4, 1)).isEqualTo(15);
    }

    @Test
    void orderOfOperationsDecidesTheLastBit() {
        CapacityFormula product =
                CapacityFormula.of(
                        1.1,
                        true,
                        CapacityFormula.Arithmetic.PRODUCT,
                        CapacityFormula.Rounding.CEIL);
        CapacityFormula quotient =
                CapacityFormula.of(
                        1.1,
                        true,
                        CapacityFormula.Arithmetic.QUOTIENT,
                        CapacityFormula.Rounding.CEIL);

        assertThat(product.capacity(45, 3, 2)).isEqualTo(34);
        assertThat(quotient.capacity(45, 3, 2)).isEqualTo(33);
    }

    @Test
    void staysWithinAnInt() {
        assertThat(CapacityFormula.nllbEval(1e6).capacity(Integer.MAX_VALUE, 2, 1))
                .isEqualTo(Integer.MAX_VALUE);
    }

    @Test
    void namesWhatIsNotAllowed() {
        assertThatThrownBy(() -> CapacityFormula.vmoe(-1))
                .hasMessage("capacity factor is -1.0; allowed: 0 or more");
        assertThatThrownBy(() -> CapacityFormula.vmoe(Double.NaN))
                .hasMessage("capacity factor is NaN; allowed: 0 or more");
        assertThatThrownBy(() -> CapacityFormula.tutel(1, 0))
                .hasMessage("capacity is a multiple of 0; allowed: 1 or more");
        assertThatThrownBy(() -> CapacityFormula.fixed(-1))
                .hasMessage("minimum capacity is -1 tokens; allowed: 0 or more");
        assertThatThrownBy(() -> CapacityFormula.vmoe(1).capacity(-1, 8, 2))
                .hasMessageContaining("a window has -1 tokens, 8 experts, 2 choices");
    }
}
