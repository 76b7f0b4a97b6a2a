// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.util.Map;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceEvent;

/**
 * A reader's report to the enumerator.
 *
 * @param newest the newest timestamp of each partition that is new or has had tokens since the last
 *     report; {@link EventTimes#NONE} if it has had none
 */
@Internal
record PartitionTimes(Map<Integer, Long> newest) implements SourceEvent {}
