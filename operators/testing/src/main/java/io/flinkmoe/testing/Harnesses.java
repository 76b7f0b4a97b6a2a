// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.state.TestableKeyedStateBackend;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.TestProcessingTimeService;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.util.ExceptionUtils;
import org.apache.flink.util.IOUtils;
import org.apache.flink.util.OutputTag;

/** Helpers for Flink's test harnesses. */
@Internal
final class Harnesses {

    private Harnesses() {}

    /** Returns the values of a side output. */
    static <T> List<T> values(AbstractStreamOperatorTestHarness<?> harness, OutputTag<T> tag) {
        Queue<StreamRecord<T>> records = harness.getSideOutput(tag);
        return records == null ? List.of() : records.stream().map(StreamRecord::getValue).toList();
    }

    /** Runs the timers that are due, such as those of slices. */
    static void runTimers(AbstractStreamOperatorTestHarness<?> harness) throws Exception {
        harness.setProcessingTime(Math.max(0, harness.getProcessingTime()));
    }

    /**
     * Runs the first timer that is due, but none that it sets.
     *
     * @return whether there was one
     */
    static boolean runTimer(AbstractStreamOperatorTestHarness<?> harness) throws Exception {
        TestProcessingTimeService time = harness.getProcessingTimeService();
        Set<Long> timers = time.getActiveTimerTimestamps();
        long now = Math.max(0, harness.getProcessingTime());
        if (timers.isEmpty() || Collections.min(timers) > now) {
            return false;
        }
        // Timers of the same time run in the order in which they were set. So this one runs after
        // the first. It sets the time back, so that no other timer is due.
        long first = Collections.min(timers);
        time.registerTimer(first, timestamp -> time.setCurrentTime(first - 1));
        time.setCurrentTime(now);
        return true;
    }

    static int keyedStateEntries(AbstractStreamOperatorTestHarness<?> harness) {
        return ((TestableKeyedStateBackend<?>) harness.getOperator().getKeyedStateBackend())
                .numKeyValueStateEntries();
    }

    /** Closes both, even if closing the first fails. */
    static void close(AutoCloseable harness, MockEnvironment environment) {
        try {
            IOUtils.closeAll(harness, environment);
        } catch (Exception e) {
            ExceptionUtils.rethrow(e);
        }
    }
}
