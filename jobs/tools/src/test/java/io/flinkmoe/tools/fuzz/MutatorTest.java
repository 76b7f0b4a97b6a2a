// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.tools.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class MutatorTest {

    private static final byte[] JSON = "{\"a\": 1, \"b\": [2]}".getBytes(StandardCharsets.UTF_8);

    @Test
    void makesAnInputOfSeedAndNumberAlone() {
        Mutator one = new Mutator(7, TinyModels.onnx(), true);
        Mutator other = new Mutator(7, TinyModels.onnx(), true);
        byte[][] inputs = new byte[500][];
        for (int i = 0; i < inputs.length; i++) {
            inputs[i] = one.input(i);
        }
        for (int i = inputs.length - 1; i >= 0; i--) {
            assertThat(other.input(i)).isEqualTo(inputs[i]);
        }
        assertThat(new Mutator(8, TinyModels.onnx(), true).input(0)).isNotEqualTo(inputs[0]);
    }

    @Test
    void makesManyDifferentInputsOfBoundedLength() {
        Mutator mutator = new Mutator(1, List.of(JSON), false);
        Set<String> inputs = new HashSet<>();
        for (int i = 0; i < 10_000; i++) {
            byte[] input = mutator.input(i);
            assertThat(input.length).isLessThanOrEqualTo(1 << 16);
            inputs.add(Arrays.toString(input));
        }
        assertThat(inputs).hasSizeGreaterThan(7_000);
    }

    @Test
    void leavesAMessageAroundAChangedFieldAMessage() {
        // {1: {1: 5}, 2: "x"}: the walk over the outer message must end where the bytes do.
        byte[] message = {0x0A, 0x02, 0x08, 0x05, 0x12, 0x01, 'x'};
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < 1_000; i++) {
            byte[] changed = ProtoMutator.mutate(message, random);
            if (changed.length > 0) {
                assertThat(ProtoMutator.isMessage(changed)).isTrue();
            }
        }
    }
}
