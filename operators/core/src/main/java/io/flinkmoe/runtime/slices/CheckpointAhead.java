// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.runtime.slices;

import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.operators.coordination.OperatorEvent;

/**
 * Tells a subtask that a checkpoint starts. Its barriers have not entered the job.
 *
 * @param checkpointId Flink's number of the checkpoint
 */
@Internal
public record CheckpointAhead(long checkpointId) implements OperatorEvent {}
