// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import java.lang.reflect.Field;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.ThreadPoolExecutor;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.execution.Environment;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The threads of a task for the asynchronous parts of its checkpoints. Flink means to have one for
 * each concurrent checkpoint and one more. But its pool has no core threads and a queue without
 * bound, so that only one thread ever runs (FLINK-34670). A checkpoint then waits while Flink
 * writes the whole state that its log of changes starts from, which takes seconds for large
 * windows.
 */
@Internal
public final class AsyncThreads {

    private static final Logger LOG = LoggerFactory.getLogger(AsyncThreads.class);

    /** Flink wraps the pool, so that log messages name the job. */
    private static final String WRAPPED = "delegate";

    private AsyncThreads() {}

    /** Lets all threads of the pool run. */
    public static void allow(Environment task) {
        ExecutorService threads = unwrap(task.getAsyncOperationsThreadPool());
        if (threads instanceof ThreadPoolExecutor pool && pool.getCorePoolSize() == 0) {
            pool.setCorePoolSize(pool.getMaximumPoolSize());
            pool.allowCoreThreadTimeOut(true);
        }
    }

    private static ExecutorService unwrap(ExecutorService threads) {
        try {
            Field field = threads.getClass().getSuperclass().getDeclaredField(WRAPPED);
            field.setAccessible(true);
            return (ExecutorService) field.get(threads);
        } catch (ReflectiveOperationException | RuntimeException e) {
            LOG.debug("{} wraps no other executor", threads.getClass(), e);
            return threads;
        }
    }
}
