// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.JobID;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.util.MdcUtils;
import org.apache.flink.util.concurrent.Executors;
import org.junit.jupiter.api.Test;

/** The threads for the asynchronous parts of checkpoints. */
class AsyncThreadsTest {

    @Test
    void theNextPartDoesNotWaitForALongOne() throws Exception {
        // As Flink's StreamTask creates it.
        ThreadPoolExecutor pool =
                new ThreadPoolExecutor(0, 2, 60L, TimeUnit.SECONDS, new LinkedBlockingQueue<>());
        try (MockEnvironment task = MockEnvironment.builder().build()) {
            task.setAsyncOperationsThreadPool(MdcUtils.scopeToJob(new JobID(), pool));
            AsyncThreads.allow(task);
            CountDownLatch secondRan = new CountDownLatch(1);
            CountDownLatch firstEnded = new CountDownLatch(1);
            pool.execute(
                    () -> {
                        try {
                            secondRan.await();
                            firstEnded.countDown();
                        } catch (InterruptedException e) {
                            Thread.currentThread().interrupt();
                        }
                    });
            pool.execute(secondRan::countDown);
            assertThat(firstEnded.await(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            pool.shutdownNow();
        }
    }

    @Test
    void anotherExecutorStaysAsItIs() throws Exception {
        try (MockEnvironment task = MockEnvironment.builder().build()) {
            task.setAsyncOperationsThreadPool(Executors.newDirectExecutorService());
            AsyncThreads.allow(task);
        }
        ThreadPoolExecutor fixed =
                new ThreadPoolExecutor(1, 8, 60L, TimeUnit.SECONDS, new LinkedBlockingQueue<>());
        try (MockEnvironment task = MockEnvironment.builder().build()) {
            task.setAsyncOperationsThreadPool(fixed);
            AsyncThreads.allow(task);
            assertThat(fixed.getCorePoolSize()).isEqualTo(1);
        } finally {
            fixed.shutdownNow();
        }
    }
}
