// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.dispatch;

import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.operators.coordination.OperatorEvent;

/**
 * Tells a subtask of a dispatch that a checkpoint starts. Its barriers have not entered the job.
 *
 * @param checkpointId Flink's number of the checkpoint
 */
@Internal
record CheckpointAhead(long checkpointId) implements OperatorEvent {}
