// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.shared;

import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.runtime.io.network.partition.consumer.IndexedInputGate;

/** Whether the network has delivered records that a task has not processed yet. */
@Internal
public final class QueuedInput {

    private final Environment task;

    public QueuedInput(Environment task) {
        this.task = task;
    }

    /** True if any input gate has data, as far as is known without a lock. */
    public boolean isAvailable() {
        for (IndexedInputGate gate : task.getAllInputGates()) {
            if (gate.isApproximatelyAvailable()) {
                return true;
            }
        }
        return false;
    }
}
