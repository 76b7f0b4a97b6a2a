// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceEvent;

/**
 * A reader's report that it goes on without records that are gone.
 *
 * @param sentences what it skips, for users
 */
@Internal
record SkippedRecords(List<String> sentences) implements SourceEvent {}
