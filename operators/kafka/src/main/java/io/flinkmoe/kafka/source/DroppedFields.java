// SPDX-License-Identifier: Apache-2.0
package io.flinkmoe.kafka.source;

import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.connector.source.SourceEvent;

/**
 * A reader's report that records have fields that the job's schema does not have.
 *
 * @param fields the paths of the fields
 */
@Internal
record DroppedFields(Set<String> fields) implements SourceEvent {}
