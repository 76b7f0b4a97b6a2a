// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.golden;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HandMadeCasesTest {

    @TempDir private Path directory;

    @Test
    void answersAsComputedByHand() throws Exception {
        for (GoldenCase golden : HandMadeCases.in(directory.resolve("cases"))) {
            new GoldenLayer(golden, directory.resolve(golden.name())).check();
            assertThat(golden.unread()).as("tensors of %s that nothing read", golden).isEmpty();
        }
    }
}
