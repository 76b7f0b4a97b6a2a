// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.testing;

import java.util.List;
import java.util.Queue;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.state.TestableKeyedStateBackend;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
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
