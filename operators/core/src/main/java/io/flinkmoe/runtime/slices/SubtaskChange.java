// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.slices;

import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.operators.coordination.OperatorEvent;

/** Tells the coordinator whether a subtask processes records. */
@Internal
enum SubtaskChange implements OperatorEvent {
    OPENED,
    FINISHED
}
