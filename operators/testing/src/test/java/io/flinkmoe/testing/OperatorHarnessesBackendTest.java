// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.apache.flink.runtime.state.heap.HeapKeyedStateBackend;
import org.apache.flink.state.rocksdb.RocksDBKeyedStateBackend;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Else a test of both backends would run twice on the heap. */
@ParameterizedClass
@EnumSource
class OperatorHarnessesBackendTest {

    @Parameter private Backend backend;
    @TempDir private static Path directory;
    private static TinyBundle bundle;

    @BeforeAll
    static void writeBundle() {
        bundle = TinyBundle.builder().writeTo(directory);
    }

    private OperatorHarnesses harnesses() throws Exception {
        return OperatorHarnesses.of(bundle.options()).stateBackend(backend.make());
    }

    @Test
    void operatorsKeepTheirStateInTheBackendOfTheTest() throws Exception {
        try (var router = harnesses().router(0);
                var dispatch = harnesses().dispatch(0);
                var combine = harnesses().combine(0)) {
            assertThat(backendOf(router)).isEqualTo(expected());
            assertThat(backendOf(dispatch)).isEqualTo(expected());
            assertThat(backendOf(combine)).isEqualTo(expected());
        }
    }

    private Class<?> expected() {
        return backend == Backend.HEAP
                ? HeapKeyedStateBackend.class
                : RocksDBKeyedStateBackend.class;
    }

    private static Class<?> backendOf(AbstractStreamOperatorTestHarness<?> harness) {
        return harness.getOperator().getKeyedStateBackend().getClass();
    }
}
