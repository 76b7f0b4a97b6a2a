// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.onnx;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtProvider;
import io.flinkmoe.model.BundleException;
import io.flinkmoe.testing.FixedExperts;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SessionCacheTest {

    private static final int D = 4;
    private static final Duration LONG = Duration.ofHours(1);
    private static final Duration SHORT = Duration.ofMillis(20);

    @TempDir private Path directory;

    @BeforeEach
    void writeModels() throws Exception {
        for (int factor = 1; factor <= 3; factor++) {
            Files.write(file(factor), FixedExperts.scaling(factor).onnx(0, D));
        }
    }

    @Test
    void opensAModelOnceForAllItsLeases() throws Exception {
        SessionCache cache = new SessionCache(LONG);
        try (SessionCache.Lease<OnnxModel> one = lease(cache, 2);
                SessionCache.Lease<OnnxModel> other = lease(cache, 2)) {
            assertThat(other.model()).isSameAs(one.model());
            assertThat(cache.size()).isEqualTo(1);
        }
    }

    @Test
    void findsAFileUnderAnyOfItsPaths() throws Exception {
        SessionCache cache = new SessionCache(LONG);
        Path detour = directory.resolve("x").resolve("..").resolve("2.onnx");
        try (SessionCache.Lease<OnnxModel> one = lease(cache, 2);
                SessionCache.Lease<OnnxModel> other = cache.acquire(detour, "sum", D, D)) {
            assertThat(other.model()).isSameAs(one.model());
        }
    }

    @Test
    void takesAFileThatWasReplacedForAnotherModel() throws Exception {
        SessionCache cache = new SessionCache(LONG);
        try (SessionCache.Lease<OnnxModel> before = cache.acquire(file(2), "before", D, D)) {
            Files.delete(file(2));
            Files.write(file(2), FixedExperts.scaling(5).onnx(0, D));
            try (SessionCache.Lease<OnnxModel> after = cache.acquire(file(2), "after", D, D)) {
                assertThat(times(after.model(), 1)).isEqualTo(5);
                assertThat(times(before.model(), 1)).isEqualTo(2);
                assertThat(cache.size()).isEqualTo(2);
            }
        }
    }

    @Test
    void saysWhichJarIsMissingForAGpuAndOpensTheFileOnTheCpuStill() throws Exception {
        assumeThat(OrtEnvironment.getAvailableProviders()).doesNotContain(OrtProvider.CUDA);
        SessionCache cache = new SessionCache(LONG);
        Device gpu = Device.cuda(1, 0);
        assertThatThrownBy(() -> cache.acquire(file(2), "sum", ModelTensors.of(D, D), gpu))
                .isInstanceOf(BundleException.class)
                .hasMessageContainingAll("on GPU 1", "onnxruntime_gpu", "Flink's lib/", "-Pgpu");
        assertThat(cache.size()).isZero();
        try (SessionCache.Lease<OnnxModel> lease = cache.acquire(file(2), "sum", D, D)) {
            assertThat(times(lease.model(), 3)).isEqualTo(6);
        }
    }

    @Test
    void keepsAnIdleModelForTheNextLease() throws Exception {
        SessionCache cache = new SessionCache(LONG);
        OnnxModel model;
        try (SessionCache.Lease<OnnxModel> lease = lease(cache, 2)) {
            model = lease.model();
        }
        assertThat(cache.size()).isEqualTo(1);
        try (SessionCache.Lease<OnnxModel> lease = lease(cache, 2)) {
            assertThat(lease.model()).isSameAs(model);
            assertThat(times(model, 3)).isEqualTo(6);
        }
    }

    @Test
    void closesAModelThatStaysIdle() throws Exception {
        SessionCache cache = new SessionCache(SHORT);
        SessionCache.Lease<OnnxModel> lease = lease(cache, 2);
        OnnxModel model = lease.model();
        lease.close();

        awaitSize(cache, 0);

        assertThatThrownBy(() -> times(model, 1)).isInstanceOf(IllegalStateException.class);
        try (SessionCache.Lease<OnnxModel> again = lease(cache, 2)) {
            assertThat(again.model()).isNotSameAs(model);
            assertThat(times(again.model(), 1)).isEqualTo(2);
        }
    }

    @Test
    void keepsAModelOpenThatIsLeasedAgain() throws Exception {
        SessionCache cache = new SessionCache(SHORT);
        lease(cache, 2).close();
        try (SessionCache.Lease<OnnxModel> again = lease(cache, 2)) {
            // This lease expires later than the first one above.
            lease(cache, 3).close();
            awaitSize(cache, 1);
            assertThat(times(again.model(), 3)).isEqualTo(6);
        }
        awaitSize(cache, 0);
    }

    @Test
    void doesNotMindALeaseThatIsClosedTwice() throws Exception {
        SessionCache cache = new SessionCache(SHORT);
        try (SessionCache.Lease<OnnxModel> kept = lease(cache, 2)) {
            SessionCache.Lease<OnnxModel> other = lease(cache, 2);
            other.close();
            other.close();
            lease(cache, 3).close();
            awaitSize(cache, 1);
            assertThat(times(kept.model(), 1)).isEqualTo(2);
        }
        awaitSize(cache, 0);
    }

    @Test
    void refusesTheUseOfAClosedLease() throws Exception {
        SessionCache cache = new SessionCache(LONG);
        SessionCache.Lease<OnnxModel> lease = lease(cache, 2);
        lease.close();
        assertThatThrownBy(lease::model)
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("the lease of %s is closed", file(2));
    }

    @Test
    void keepsNothingOfAModelThatCannotBeOpened() throws Exception {
        SessionCache cache = new SessionCache(LONG);
        assertThatThrownBy(() -> cache.acquire(file(2), "sum", D, D + 1))
                .isInstanceOf(BundleException.class)
                .hasMessageContaining("2.onnx");
        assertThat(cache.size()).isZero();
    }

    @Test
    void servesManyThreadsWhileModelsComeAndGo() throws Exception {
        SessionCache cache = new SessionCache(Duration.ZERO);
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            List<Callable<Void>> work = new ArrayList<>();
            for (int thread = 0; thread < 8; thread++) {
                int start = thread;
                work.add(() -> leaseAndRun(cache, start));
            }
            for (Future<Void> result : threads.invokeAll(work, 60, TimeUnit.SECONDS)) {
                result.get();
            }
        } finally {
            threads.shutdownNow();
        }
        awaitSize(cache, 0);
    }

    private Void leaseAndRun(SessionCache cache, int start) throws Exception {
        for (int i = start; i < start + 150; i++) {
            int factor = 1 + i % 3;
            try (SessionCache.Lease<OnnxModel> lease = lease(cache, factor)) {
                assertThat(times(lease.model(), i)).isEqualTo((float) factor * i);
            }
        }
        return null;
    }

    private SessionCache.Lease<OnnxModel> lease(SessionCache cache, int factor)
            throws BundleException {
        return cache.acquire(file(factor), "sum", D, D);
    }

    private Path file(int factor) {
        return directory.resolve(factor + ".onnx");
    }

    private static float times(OnnxModel model, float value) throws Exception {
        DirectRows input = new DirectRows(1, D);
        DirectRows output = new DirectRows(1, D);
        input.put(new float[] {0, value, 0, 0}, 0, 1);
        model.run(input, output, 1);
        float[] row = new float[D];
        output.get(row, 0, 1);
        return row[1];
    }

    /** Waits for a condition that must become true; the timeout is for a very busy machine. */
    private static void awaitSize(SessionCache cache, int size) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (cache.size() != size && System.nanoTime() < end) {
            LockSupport.parkNanos(1_000_000);
        }
        assertThat(cache.size()).as("open models").isEqualTo(size);
    }
}
